"""What SDKs ask before or beside what they send, and what they are told.

Each answer is the smallest with which the SDK goes on: send here, switch nothing else on. The key
is the one that was asked with; scheme and host are ours, as the emitter sees them.
"""

from typing import Any


def segment_settings(key: str, scheme: str, host: str) -> dict[str, Any]:
    """What Segment's browser and mobile SDKs ask before they send."""
    return {
        "integrations": {
            "Segment.io": {"apiKey": key, "apiHost": f"{host}/v1", "protocol": scheme}
        },
        "plan": {},
        "edgeFunction": {},
        "middlewareSettings": {},
        "enabledMiddleware": {},
        "metrics": {"sampleRate": 0},
        "legacyVideoPluginsEnabled": False,
        "remotePlugins": [],
    }
