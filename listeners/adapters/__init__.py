"""One adapter a dialect: `adapt(payload, context)` gives the touchpoints that a payload means."""
