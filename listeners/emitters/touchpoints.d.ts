/** Types of touchpoints.js, the browser emitter: `window.touchpoints` once it has come. */

interface TouchpointsOptions {
  /** The site's write key: public, it may only write, and from the origins of its source. */
  key: string
  /** The listener's address; what the script tag says, or where the script came from. */
  endpoint: string
  /** `"required"`: nothing is stored, captured or sent before `consent(true)`. */
  consent?: 'required'
  /** Milliseconds that a touchpoint waits for others to go with it; 2000. */
  flushAfter?: number
  /** Requests, by their whole address, that are not watched: long polls, other analytics. */
  ignore?: (address: string) => boolean
  /** What is told as the page instead of its path: for paths that name people. */
  locate?: (location: Location) => string
}

interface TouchpointsMore {
  /** What the customer wants: a mission of the catalogue. */
  intent?: string
  rating?: { scale: 'ces' | 'nps' | 'csat'; value: number }
  /** Channel-neutral facts, such as `http_5xx`. */
  signals?: string[]
  /** The page it belongs to; the present one. */
  location?: string
}

interface Touchpoints {
  /** For those who bundle it; a script tag with `data-key` does it by itself. */
  start(options: TouchpointsOptions): void
  /** Allow or forbid; forbidding also forgets all that is stored in this browser. */
  consent(given: boolean): void
  /** Something happened: 16,000 characters at most, all in all. */
  track(name: string, properties?: Record<string, unknown>, more?: TouchpointsMore): void
  /** The customer said what they want. */
  intent(mission: string): void
  /** Somebody logged in. Another user than before begins another session. */
  identify(user: string | number, identifiers?: Record<string, string | number>): void
  /** Logged out: the session ends, and who comes next is somebody else. */
  reset(): void
  /** Send what waits; settles when it was tried. */
  flush(): Promise<void>
}

/** Until the script has come, an array of calls may stand in its place: `["track", "name"]`. */
interface Window {
  touchpoints: Touchpoints | [keyof Touchpoints, ...unknown[]][]
}
declare const touchpoints: Touchpoints
