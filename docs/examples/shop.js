// What a website says by itself; the emitter sees the rest.
'use strict'
const $ = (id) => document.getElementById(id)

// Before the emitter has come, calls wait in an array under its name.
window.touchpoints = window.touchpoints || []
const tell = (...call) => (Array.isArray(touchpoints) ? touchpoints.push(call) : touchpoints[call[0]](...call.slice(1)))

tell('track', 'shop_opened', { plan: 'gold' })

$('works').addEventListener('click', () => { $('out').textContent += '€' })
$('plus').addEventListener('click', () => {})
$('fails').addEventListener('click', () => { JSON.parse($('note').value) })
