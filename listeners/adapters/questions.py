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


def rudder_source_config(key: str, scheme: str, host: str) -> dict[str, Any]:
    """What RudderStack's browser and mobile SDKs ask before they send."""
    none_of_its_own = {"errors": {"enabled": False}, "metrics": {"enabled": False}}
    return {
        "source": {
            "id": key,
            "name": "touchpoints",
            "writeKey": key,
            "enabled": True,
            "workspaceId": "touchpoints",
            "config": {"statsCollection": none_of_its_own},
            "destinations": [],
            "connections": [],
            "dataplanes": {},
        },
        "updatedAt": "2026-01-01T00:00:00.000Z",
        "consentManagementMetadata": {"providers": []},
    }


def posthog_config(key: str, scheme: str, host: str) -> dict[str, Any]:
    """What PostHog's browser SDK asks as it starts: where to send, and what is switched on."""
    return {
        "token": key,
        "supportedCompression": ["gzip", "gzip-js"],
        "hasFeatureFlags": False,
        "analytics": {"endpoint": "/i/v0/e/"},
        "autocapture_opt_out": False,
        "capturePerformance": False,
        "captureDeadClicks": False,
        "autocaptureExceptions": False,
        "sessionRecording": False,
        "heatmaps": False,
        "surveys": False,
        "siteApps": [],
        "defaultIdentifiedOnly": True,
        "elementsChainAsString": True,
    }


def posthog_flags(key: str, scheme: str, host: str) -> dict[str, Any]:
    """What PostHog's SDKs wait for before they go on: no flags, and nothing went wrong."""
    return {
        "flags": {},
        "featureFlags": {},
        "featureFlagPayloads": {},
        "errorsWhileComputingFlags": False,
        "requestId": "touchpoints",
        "sessionRecording": False,
        "supportedCompression": ["gzip", "gzip-js"],
    }
