// Every SDK for Node, told to send to one address; run as a process of its own.
//
//     node node_sdks.mjs http://127.0.0.1:8080 /where/the/packages/are
//
// Each has a key of its own and does what its function says; tests/integration/test_sdks.py knows
// it, too. A line "SDK seconds" is printed as each is done.

import { createRequire } from "node:module";

const [url, packages] = process.argv.slice(2);
const load = createRequire(packages + "/");
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const at = new Date("2026-11-22T11:30:00Z");
const context = {
  page: { path: "/billing", url: "https://shop.example.com/billing" },
  sessionId: "s-1",
  campaign: { name: "spring", source: "mail" },
};
const tagged = "https://shop.example.com/billing?utm_campaign=spring&utm_source=mail";
const calls = {
  page: { anonymousId: "a-1", name: "Billing", properties: {}, context, timestamp: at },
  screen: { anonymousId: "a-1", name: "Balance", properties: {}, timestamp: at },
  track: { userId: "u-1", anonymousId: "a-1", event: "Paid", properties: { status: 502 } },
  identify: { userId: "u-1", anonymousId: "a-1", traits: { email: "Ann@example.com", plan: "gold" } },
  alias: { userId: "u-1", previousId: "a-1" },
  group: { userId: "u-1", groupId: "g-1", traits: { name: "Acme" } },
};

async function segment(key) {
  const { Analytics } = load("@segment/analytics-node");
  const client = new Analytics({ writeKey: key, host: url, flushInterval: 100 });
  for (const [call, message] of Object.entries(calls)) client[call](message);
  await client.closeAndFlush({ timeout: 20000 });
}

async function rudderstack(key, gzip = true) {
  const Analytics = load("@rudderstack/rudder-sdk-node");
  const client = new (Analytics.default ?? Analytics)(key, { dataPlaneUrl: url, gzip });
  for (const [call, message] of Object.entries(calls)) client[call]({ ...message });
  await client.flush().catch(() => {});
  await client.flush().catch(() => {});
}

async function snowplow(key, eventMethod = "post") {
  const tracking = load("@snowplow/node-tracker");
  const tracker = tracking.newTracker(
    { namespace: "t", appId: key, encodeBase64: eventMethod === "post" },
    { endpoint: url, eventMethod, bufferSize: 1 },
  );
  tracker.setPlatform("web");
  tracker.setUserId("u-1");
  tracker.setDomainUserId("a-1");
  tracker.setSessionId("s-1");
  tracker.setNetworkUserId("n-1");
  const about = [{ schema: "iglu:com.example/mission/jsonschema/1-0-0", data: { step: 1 } }];
  tracker.track(
    tracking.buildPageView({ pageUrl: tagged, pageTitle: "Billing ☎" }),
    about,
    { type: "ttm", value: at.getTime() },
  );
  tracker.track(
    tracking.buildStructEvent({ category: "billing", action: "pay", label: "button", value: 12.5 }),
  );
  tracker.track(
    tracking.buildSelfDescribingEvent({
      event: { schema: "iglu:com.example/bill_paid/jsonschema/1-0-0", data: { status: 502 } },
    }),
  );
  tracker.track(tracking.buildScreenView({ name: "Balance" }));
  for (let left = 4; left > 0; left -= 1) {
    // What failed goes out with the next event, and not before.
    await pause(1000);
    tracker.track(tracking.buildPagePing({ pageUrl: "https://shop.example.com/billing" }));
    tracker.flush();
  }
  await pause(5000); // It does not say when the last has gone, and a busy machine takes its time.
}

async function posthog(key) {
  const { PostHog } = load("posthog-node");
  const client = new PostHog(key, { host: url, flushInterval: 100 });
  const page = {
    $current_url: "https://shop.example.com/billing",
    $session_id: "s-1",
    utm_campaign: "spring",
    utm_source: "mail",
  };
  client.capture({ distinctId: "u-1", event: "$pageview", properties: page, timestamp: at });
  client.capture({ distinctId: "u-1", event: "Paid", properties: { status: 502 } });
  client.identify({ distinctId: "u-1", properties: { email: "Ann@example.com", plan: "gold" } });
  client.alias({ distinctId: "u-1", alias: "a-1" });
  client.groupIdentify({ groupType: "company", groupKey: "acct-9", properties: { name: "Acme" } });
  await client.shutdown(20000);
}

const sdks = {
  "segment-node": segment,
  "rudderstack-node": rudderstack,
  "rudderstack-node-plain": (key) => rudderstack(key, false),
  "snowplow-node": snowplow,
  "snowplow-node-get": (key) => snowplow(key, "get"),
  "posthog-node": posthog,
};

await Promise.all(
  Object.entries(sdks).map(async ([key, run]) => {
    const started = Date.now();
    await run(key);
    console.log(key, (Date.now() - started) / 1000);
  }),
);
process.exit(0);
