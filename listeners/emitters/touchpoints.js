/* The browser emitter of Touchpoints: docs/emitters-of-our-own.md */
(() => {
  'use strict'
  const RAGE_CLICKS = 3, RAGE_WITHIN = 1000, RAGE_PX = 30
  const DEAD_AFTER = 3000, SERIES_MAX = 30000, ERROR_AFTER = 100, QUICK_BACK = 5000
  const LOAD_SLOW = 4000, INP_SLOW = 500
  const SESSION_GAP = 1800e3, SESSION_MAX = 86400e3
  const KIND_MAX = 10 // of one kind and view; the rest is counted
  const QUEUE_MAX = 200, ITEM_CHARS = 16000, BATCH_MAX = 50, BATCH_CHARS = 20000, BACKOFF_MAX = 300e3
  const STALE = 43200e3 // sent, unanswered, and older: ids absorb for 24 h

  const CLICKABLE = 'a[href],button,summary,[onclick],input,[role=button],[role=link],[role=tab]'
  const FIELDS = 'input:not([type=submit],[type=button],[type=image],[type=reset]),select,textarea,[contenteditable],video,audio,canvas,iframe,label'
  // Answered unseen; made for many clicks.
  const UNSEEN = FIELDS + ',[download],[target=_blank],a[href^=mailto],a[href^=tel]'
  const REPEATED = FIELDS + ',[role=spinbutton],[role=slider],[role=grid]'
  const REPEATED_NAME = /(^|[\s_-])(plus|minus|stepper|quantity|qty|calendar|date-?picker|pagination|carousel|slider|swiper|player)([\s_-]|$)/i

  const early = window.touchpoints, script = document.currentScript
  const { flushAfter = 2000, ...given } = script?.dataset ?? {}
  const tag = given.key && { endpoint: script.src, ...given, flushAfter: +flushAfter }
  if (early?.track) return tag && early.start(tag)
  const plainFetch = window.fetch
  const now = () => performance.now()
  const random = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => (b + 256).toString(16).slice(1)).join('')
  const safe = (work) => (...args) => { try { return work(...args) } catch {} }
  const on = (target, types, work) => types.split(' ').forEach((type) => target.addEventListener(type, safe(work), true))

  let options, endpoint, consented, listening
  let view, before

  const allowed = () => consented && !navigator.globalPrivacyControl && navigator.doNotTrack !== '1'

  const memory = {}
  const storing = (work, otherwise) => { try { return work(localStorage) } catch { return otherwise?.() } }
  const get = (key) => storing((kept) => kept['tp.' + key]) || memory[key]
  const set = (key, value) => storing((kept) => { kept['tp.' + key] = value }, () => { remove(key); memory[key] = value })
  const remove = (key) => { delete memory[key]; storing((kept) => kept.removeItem('tp.' + key)) }
  const keys = () => storing((kept) => Object.keys(kept).filter((key) => key.startsWith('tp.')).map((key) => key.slice(3))) || []

  function session(at) {
    let [id, started, last] = (get('session') || '').split(' ')
    if (!id || at - last > SESSION_GAP || at - started > SESSION_MAX) { id = random(); started = at }
    set('session', [id, started, at].join(' '))
    return id
  }

  // A key an item: tabs do not meet.
  const queue = new Map(), flying = new Set() // id → text; ids
  let serial = 46656, dropped = 0, due = Infinity, timer, sending, failures = 0, waitUntil = 0, batchMax = BATCH_MAX

  const drop = (id) => { queue.delete(id); remove('q.' + id) }

  function enqueue(item) {
    if (dropped) item.properties = { ...item.properties, dropped_before: dropped }
    const text = JSON.stringify(item)
    if (text.length > ITEM_CHARS) { dropped++; throw new RangeError('too large: ' + item.name) }
    dropped = 0
    queue.set(item.id, text)
    set('q.' + item.id, text)
    while (queue.size > QUEUE_MAX) { drop(queue.keys().next().value); dropped++ }
    schedule(queue.size < BATCH_MAX ? options.flushAfter : 0)
  }

  // Only an answer takes an item out; what earlier pages left goes out again.
  function adopt(age) {
    for (const key of keys().sort()) {
      const id = key.slice(2), text = get(key)
      if (!key.startsWith('q.') || queue.has(id)) continue
      const sent = text[0] === '~', plain = text.slice(+sent), old = Date.now() - safe(JSON.parse)(plain)?.occurred_at
      if (!(old < STALE || !sent && old)) remove(key)
      else if (old >= age && queue.size < QUEUE_MAX) queue.set(id, plain)
    }
    schedule(options.flushAfter)
  }

  function schedule(after) {
    const at = Math.max(now() + after, waitUntil)
    if (at >= due || !queue.size) return
    clearTimeout(timer)
    due = at
    timer = setTimeout(() => { due = Infinity; now() < waitUntil ? schedule(0) : send() }, at - now())
  }

  function batch() {
    let chars = 0
    const ids = [...queue.keys()].filter((id) => !flying.has(id)).slice(0, batchMax)
      .filter((id) => (chars += queue.get(id).length) < BATCH_CHARS)
    ids.forEach((id) => flying.add(id))
    return ids
  }

  const body = (ids) => `[${ids.map((id) => queue.get(id))}]`

  // Text, the key in the query: no preflight. keepalive: a beacon.
  const post = (ids) => plainFetch.call(window, endpoint, { method: 'POST', body: body(ids), keepalive: true, credentials: 'omit', redirect: 'error' })
    .then((answer) => answered(answer, ids), () => failed())
    .then(() => {
      ids.forEach((id) => flying.delete(id))
      schedule(failures ? 0 : options.flushAfter)
    })

  function send() {
    if (sending || !allowed() || now() < waitUntil || navigator.onLine === false) return sending
    const ids = batch()
    if (ids[0]) sending = post(ids).then(() => { sending = undefined })
    return sending
  }

  function answered(answer, ids) {
    const { status } = answer
    if (status === 200) { failures = 0; ids.forEach(drop) }
    else if (status !== 400 && status !== 413) failed(answer)
    else if (ids[1]) batchMax = Math.ceil(ids.length / 2)
    else { drop(ids[0]); dropped++ }
  }

  function failed(answer) {
    const asked = 1000 * answer?.headers.get('Retry-After') || 0
    waitUntil = now() + Math.min(BACKOFF_MAX, asked + 1000 * 2 ** failures++ * (0.5 + Math.random() / 2))
    if (answer) console.warn('touchpoints: answered', answer.status)
  }

  // The answer may find nobody: what went is marked.
  function sendLast() {
    const ids = batch()
    for (const id of flying) if (queue.has(id)) set('q.' + id, '~' + queue.get(id))
    if (!ids[0]) return
    if ('keepalive' in Request.prototype) post(ids)
    else navigator.sendBeacon(endpoint, body(ids))
  }

  // The path, or the route after #/. No query: forms write there.
  function here() {
    if (options.locate) return String(options.locate(location))
    const [route] = /^#!?\/[^?]*/.exec(location.hash) || ['']
    return bare(location.pathname + route)
  }

  const bare = (url) => url.split('?')[0].replace(/[^/]*(@|%40)[^/]*/g, ':email').slice(0, 512)

  function emit(name, { at = now(), location = view ? view.location : here(), identifiers, ...more }) {
    if (!allowed()) return
    const occurred_at = Date.now() - Math.round(now() - at), user_id = get('user')
    if (!get('anonymous')) set('anonymous', random())
    enqueue({
      id: occurred_at.toString(36) + (serial++).toString(36) + random(), channel: 'web', name, occurred_at, location, session_hint: session(occurred_at),
      identifiers: { anonymous_id: get('anonymous'), user_id, ...identifiers }, ...more,
    })
  }

  // The first of its kind, place and view.
  function trouble(kind, signals, properties, { key = random(), element, ...more } = {}) {
    if (!view) return
    const { counts, seen } = view
    if (seen.has(kind + key) || counts[kind] >= KIND_MAX) { view.suppressed++; return }
    counts[kind] = (counts[kind] || 0) + 1
    seen.add(kind + key)
    const named = element?.closest('[data-touchpoint]')
    emit(named ? named.dataset.touchpoint : kind, { signals, properties: { kind, ...properties }, ...more })
  }

  function described(element) {
    const parts = []
    for (let one = element; one && parts.length < 3; one = one.id ? null : one.parentElement) {
      const name = one.getAttribute('name')
      parts.unshift((one.localName + (one.id ? '#' + one.id : name ? `[name=${name}]` : '')).slice(0, 80))
    }
    return parts.join('>')
  }

  // Clicks: a series is those in one place, without a pause of 3 s

  const series = []
  let clicked = { at: -Infinity }, acted = -Infinity
  const alive = () => series.forEach((one) => { one.dead = false })
  const watching = new MutationObserver(alive)
  const clickable = (element) => element.closest(CLICKABLE) || getComputedStyle(element).cursor === 'pointer'

  function repeated(element) {
    if (element.closest(REPEATED) || element.textContent.trim().length === 1) return true // +, −
    if (!clickable(element) && getSelection().type === 'Range') return true
    for (let one = element, level = 0; one && level < 4; one = one.parentElement, level++) {
      if (REPEATED_NAME.test(one.id + ' ' + one.getAttribute('class'))) return true
    }
    return false
  }

  function click(event) {
    const [element] = event.composedPath(), at = now(), { clientX: x, clientY: y } = event
    if (!view || !event.isTrusted) return
    const mine = clicked = { at: Infinity, element }
    acted = at
    setTimeout(() => { mine.at = now(); if (mine.at - at > INP_SLOW) alive() }) // a dialog?
    if (!event.detail || element.closest('[data-touchpoints-ignore]')) return // 0: by the keyboard
    let one = series.find((other) => Math.hypot(x - other.x, y - other.y) <= RAGE_PX)
    if (!one) {
      const dead = element.getRootNode() === document && !event.ctrlKey && !event.metaKey && !event.shiftKey &&
        !element.closest(UNSEEN) && clickable(element)
      one = { x, y, at, element, location: view.location, times: [], clicks: 0, dead }
      watching.observe(document, { subtree: true, childList: true, attributes: true, characterData: true })
      addEventListener('beforeunload', alive) // for good it costs the back cache
      series.push(one)
    }
    one.clicks++
    one.times = [...one.times, at].slice(-RAGE_CLICKS)
    if (one.times.length === RAGE_CLICKS && at - one.times[0] <= RAGE_WITHIN && !repeated(element)) one.rage = true
    clearTimeout(one.timer)
    one.timer = setTimeout(safe(settle), Math.min(DEAD_AFTER, one.at + SERIES_MAX - at), one)
  }

  function settle({ at, location, element, ...one }) {
    series.splice(series.findIndex((other) => other.timer === one.timer), 1)
    if (!series[0]) { watching.disconnect(); removeEventListener('beforeunload', alive) }
    const signals = [...(one.rage ? ['rage_click'] : []), ...(one.dead ? ['dead_click'] : [])]
    if (signals[0]) trouble(signals[0], signals, { clicks: one.clicks, element: described(element) }, { at, location, element })
  }

  // Type and place of an error: its message may quote what was typed.

  function scriptError(error, otherwise) {
    const { name, message, stack } = error || {}
    const [type] = /^[\w$.]{1,64}$/.exec(name ?? 'Error') || ['Error']
    const [, place = otherwise] = /(https?:[^\s()?#]+:\d+:\d+)\)?$/m.exec(String(stack).split(message || '\n').pop()) || []
    const signals = ['js_error'], { element, at } = now() - clicked.at <= ERROR_AFTER ? clicked : {}
    if (at) signals.unshift('error_click')
    trouble(signals[0], signals, { error: type, place, element: at && described(element) }, { key: type + place, element })
  }

  const pending = new Set()

  function request(method, address) {
    const { origin, pathname, href } = new URL(address, location.href)
    if (!view || !href.startsWith('http') || options.ignore?.(href)) return
    alive()
    const at = now(), url = (origin === location.origin ? '' : origin) + bare(pathname), place = view.location
    const told = (outcome) => {
      if (!pending.delete(told) || !outcome) return
      const duration_ms = Math.round(now() - at), failed = /timeout|network/.test(outcome)
      if (failed && navigator.onLine === false) return
      const signal = failed ? 'timeout' : outcome >= 500 ? 'http_5xx' : outcome >= 400 ? 'http_4xx' : duration_ms > LOAD_SLOW && 'slow'
      if (!signal) return
      const kind = signal === 'slow' ? 'request_slow' : 'request_failed'
      trouble(kind, [signal], { method, url, duration_ms, [outcome > 0 ? 'status' : 'failure']: outcome }, { location: place, key: method + url + outcome })
    }
    told.leave = () => { if (now() - at > LOAD_SLOW) told('unanswered') }
    pending.add(told)
    return safe(told)
  }

  function patch(object, name, work) {
    const plain = object[name]
    object[name] = function (...args) { return work(plain, this, args) }
  }

  function patchAll() {
    const watched = safe((method, address) => request(String(method || 'GET').toUpperCase(), address))
    patch(window, 'fetch', (plain, self, args) => {
      const [input, init] = args, made = plain.apply(self, args)
      const told = watched(init?.method || input?.method, input?.url || input)
      if (told) {
        made.then((answer) => told(answer.status || 200), (error) =>
          told({ TimeoutError: 'timeout', AbortError: 0 }[error?.name] ?? 'network'))
      }
      return made
    })
    const asked = new WeakMap(), xhr = XMLHttpRequest.prototype
    patch(xhr, 'open', (plain, self, args) => { asked.set(self, args); return plain.apply(self, args) })
    patch(xhr, 'send', (plain, self, args) => {
      const told = watched(...(asked.get(self) || []))
      if (told) {
        self.addEventListener('readystatechange', () => { if (self.readyState === 2) told(self.status) })
        self.addEventListener('timeout', () => told('timeout'))
        self.addEventListener('error', () => told('network'))
        self.addEventListener('abort', () => told())
      }
      return plain.apply(self, args)
    })
    for (const name of ['pushState', 'replaceState']) {
      patch(history, name, (plain, self, args) => { plain.apply(self, args); safe(moved)() })
    }
    patch(HTMLFormElement.prototype, 'submit', (plain, self) => { edited.delete(self); plain.call(self) })
  }

  const edited = new Map(), invalid = new Map()
  const label = (field) => (field.name || field.id || field.localName).slice(0, 80)

  function edit({ target, isTrusted }) {
    const { form } = target
    if (!view || !isTrusted || !form || target.type === 'search' || form.closest('[role=search],search,[data-touchpoints-ignore]')) return
    const one = edited.get(form) || { fields: new Set(), at: now(), location: view.location }
    one.last = label(target)
    one.fields.add(one.last)
    edited.set(form, one)
  }

  function abandon(gone) {
    for (const [form, { fields, last, at, location }] of edited) {
      if (!gone(form)) continue
      edited.delete(form)
      trouble('form_abandoned', ['form_abandoned'], { form: described(form), fields: fields.size, last }, { location, element: form })
    }
  }

  function refused(field) {
    if (!view) return
    const name = label(field), { fields } = view
    if (!invalid.size) {
      setTimeout(safe(() => {
        const found = Object.fromEntries(invalid.values())
        invalid.clear()
        trouble('validation_error', ['validation_error'], { form: field.form && described(field.form), fields: found }, { element: field })
      }))
    }
    if (!invalid.has(field)) invalid.set(field, [name, fields[name] = (fields[name] || 0) + 1])
  }

  let lcp, cls, shifts, interactions
  const vitals = () => { lcp = undefined; cls = 0; shifts = []; interactions = new Map() }

  const observe = safe((type, work, more) => new PerformanceObserver((list) => { if (view) list.getEntries().forEach(work) }).observe({ type, buffered: true, ...more }))

  function observeVitals(start) {
    const hidden = document.visibilityState === 'hidden'
    observe('largest-contentful-paint', ({ startTime }) => { if (!hidden && view.loaded) lcp = Math.max(0, startTime - start) })
    observe('layout-shift', ({ value, hadRecentInput, startTime: at }) => {
      if (hadRecentInput || at < view.at) return
      const [first, last] = [shifts[0], shifts[shifts.length - 1]] // a window: no gap of 1 s, 5 s in all
      if (first && (at - last.at > 1000 || at - first.at > 5000)) shifts = []
      shifts.push({ at, value })
      cls = Math.max(cls, shifts.reduce((sum, one) => sum + one.value, 0))
    })
    observe('event', ({ interactionId: id, duration, startTime }) => {
      if (id && startTime >= view.at) interactions.set(id, Math.max(interactions.get(id) || 0, duration))
    }, { durationThreshold: 40 })
  }

  // When first hidden or left; again should it turn slow.
  function tellVitals() {
    const inp = [...interactions.values()].sort((a, b) => b - a)[Math.floor(interactions.size / 50)]
    const slow = lcp > LOAD_SLOW || inp > INP_SLOW
    if (view.told && (view.told > 1 || !slow)) return
    view.told = slow ? 2 : 1
    emit('web_vitals', { signals: [slow ? 'slow' : 'identity_only'], properties: {
      lcp_ms: lcp && Math.round(lcp), inp_ms: inp, cls: Math.round(cls * 1e4) / 1e4, seconds: Math.round((now() - view.at) / 1000), suppressed: view.suppressed } })
  }

  function leaveView() {
    pending.forEach((told) => told.leave())
    tellVitals()
  }

  function enterView(loaded, back) {
    const place = here(), started = Date.now(), fresh = { location: place, at: loaded ? 0 : now(), started, loaded, counts: {}, fields: {}, seen: new Set(), suppressed: 0 }
    const last = view || safe(() => JSON.parse(sessionStorage['tp.view']))() || {}
    before = view ? before : last.before
    if (view) leaveView()
    else view = fresh
    if (back && before === place && last.location !== place && started - last.started <= QUICK_BACK) {
      trouble('quick_back', ['quick_back'], { back_to: place }, { location: last.location })
    }
    if (last.location !== place) before = last.location
    vitals()
    view = fresh
    safe(() => { sessionStorage['tp.view'] = JSON.stringify({ location: place, started, before }) })()
    const referrer = loaded && document.referrer ? new URL(document.referrer).host : undefined
    emit('page_view', { properties: { referrer: referrer === location.host ? undefined : referrer } })
  }

  function moved(back) {
    if (!view || !allowed() || here() === view.location) return
    alive()
    enterView(false, back)
    setTimeout(() => abandon((form) => !form.isConnected), 500)
  }

  function leave() {
    if (!view) return
    alive()
    for (const one of [...series]) { clearTimeout(one.timer); settle(one) }
    abandon(() => true)
    leaveView()
    view = undefined
    sendLast()
  }

  function listen(start) {
    listening = true
    vitals()
    patchAll()
    observeVitals(start)
    on(window, 'click', click)
    on(window, 'input change scroll toggle submit popstate hashchange blur play pause', alive)
    on(window, 'error', ({ message, error, filename, lineno, colno }) => {
      if (message && !message.startsWith('ResizeObserver')) scriptError(error, bare(`${filename || 'unknown'}`) + `:${lineno}:${colno}`)
    })
    on(window, 'unhandledrejection', ({ reason }) => { if (reason?.name !== 'AbortError') scriptError(reason, 'unknown') })
    on(window, 'input change', edit)
    on(window, 'submit', ({ target }) => edited.delete(target))
    on(window, 'keydown', ({ key }) => { if (key === 'Enter') acted = now() })
    on(window, 'invalid', ({ target }) => { if (now() - acted < 1000) refused(target) }) // not at each key
    new MutationObserver(safe((changes) => changes.forEach(({ target, oldValue }) => {
      if (target.getAttribute('aria-invalid') === 'true' && oldValue !== 'true') refused(target)
    }))).observe(document, { subtree: true, attributeFilter: ['aria-invalid'], attributeOldValue: true })
    on(window, 'popstate hashchange', () => moved(true))
    on(window, 'pagehide', leave)
    on(window, 'pageshow', ({ persisted }) => { if (persisted && allowed()) enterView(false, true) })
    on(document, 'visibilitychange', () => {
      if (document.visibilityState !== 'hidden' || !view) return
      alive()
      tellVitals()
      sendLast()
    })
    on(window, 'online', () => { if (view) { waitUntil = failures = 0; adopt(0); send() } })
  }

  function begin() {
    if (!options || !allowed() || view) return
    const [{ type, activationStart = 0 } = {}] = performance.getEntriesByType('navigation')
    if (!listening) listen(activationStart)
    enterView(true, type === 'back_forward')
    adopt(15000) // younger ones may be under way
    setTimeout(() => { if (view) adopt(15000) }, 16000)
  }

  const api = {
    start(given) {
      if (options) return
      if (!given?.key || !given.endpoint) throw new TypeError('touchpoints: expected key and endpoint')
      options = { flushAfter: 2000, ...given }
      endpoint = new URL('/v1/touchpoints?writeKey=' + encodeURIComponent(given.key), given.endpoint).href
      consented = given.consent !== 'required'
      begin()
    },
    consent(given) {
      consented = !!given
      if (consented) return begin()
      series.splice(0).forEach((one) => clearTimeout(one.timer))
      queue.clear()
      edited.clear()
      keys().concat(Object.keys(memory)).forEach(remove)
      safe(() => sessionStorage.removeItem('tp.view'))()
      view = before = undefined
    },
    track(name, properties, { intent, rating, signals, location } = {}) {
      emit(String(name), { properties, intent, rating, signals, location })
    },
    intent(intent) { emit('intent', { intent: String(intent) }) },
    identify(user, identifiers) {
      if (!allowed()) return
      const known = get('user')
      if (known && known !== String(user)) remove('session')
      set('user', String(user))
      emit('identify', { signals: ['identity_only'], identifiers })
    },
    reset() {
      emit('logout', { signals: ['logout'] });
      ['user', 'session', 'anonymous'].forEach(remove)
    },
    async flush() {
      waitUntil = failures = 0
      while (!failures && (sending || send())) await sending
    },
  }

  for (const name of ['track', 'intent', 'identify', 'reset']) {
    patch(api, name, (plain, self, args) => { try { plain(...args) } catch (error) { console.warn('touchpoints:', error) } })
  }
  window.touchpoints = api
  if (tag) api.start(tag)
  if (Array.isArray(early)) early.forEach(([name, ...args]) => safe(api[name])(...args))
})()
