"""A believable day of a telecom's customers, made up from a seed, and its way to a listener.

`places` says how each touchpoint of the shipped inventory is emitted, `stories` what customers do
and how it ends, `day` tells the stories of many customers, `sender` posts them. What the day
really was is known, so that the results can be held against it.
"""
