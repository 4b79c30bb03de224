// SPDX-License-Identifier: MIT
// What the doctor's page and the view have in common: colours of verdicts, numbers in words, elements,
// and the words beside the pointer.
'use strict';
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
// The verdicts of each family of colours, which is that of the account; the family's own colour first,
// then shades of it, so that two of a family can be told apart.
const FAMILY = {
  own: 'own_work denormals signal', heap: 'heap_work', heapwait: 'heap_lock mmap_lock shootdown',
  fault: 'fault_minor fault_huge fault_major fault_cow reclaim',
  blocked: 'lock_hold blocking_call blocked lock_inversion fork_stall',
  others: 'preempted wrong_setup kernel_busy stopped', irq: 'interrupts softirq throttled',
  machine: 'hypervisor idle_wake', start: 'late_wake upstream', carried: 'carried',
  dark: 'unexplained gap recorder'};
const SHADES = [0, .42, -.38, .68, -.62]; // towards white, and towards black
const shaded = (colour, by) => '#' + [1, 3, 5].map(i => parseInt(colour.slice(i, i + 2), 16))
  .map(c => Math.round(by < 0 ? c * (1 + by) : c + (255 - c) * by).toString(16).padStart(2, '0')).join('');
const COLOURED = new Set(Object.values(FAMILY).flatMap(rules => rules.split(' ')));
const colourOfRule = name => COLOURED.has(name) ? '--rule-' + name : '--dark';
const paintRules = () => Object.entries(FAMILY).forEach(([family, rules]) => rules.split(' ').forEach((rule, i) =>
  document.documentElement.style.setProperty('--rule-' + rule, shaded(css('--' + family), SHADES[i]))));
paintRules();
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paintRules);
const ON_TIME = 0, NOT_JUDGED = 255; // verdicts; between them 1 + the rule's place in the list
const colourOfVerdict = (rules, v) => v === ON_TIME ? '--ontime' : v === NOT_JUDGED ? '--line'
  : colourOfRule((rules[v - 1] || {}).name);
const time = us => us >= 1e6 ? (us / 1e6).toFixed(2) + ' s' : us >= 1e3 ?
  (us / 1e3).toPrecision(3) + ' ms' : us >= 10 ? us.toFixed(0) + ' \u00b5s' : us.toFixed(1) + ' \u00b5s';
const ns = n => time(n / 1e3);
const bytes = b => b >= 1 << 30 ? (b / (1 << 30)).toPrecision(3) + ' GiB' : b >= 1 << 20 ?
  (b / (1 << 20)).toPrecision(3) + ' MiB' : b >= 1024 ? (b / 1024).toPrecision(3) + ' KiB' : b + ' B';
const count = n => n.toLocaleString('en-GB').replace(/,/g, '\u2009');
const el = (tag, attributes, ...children) => {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k.startsWith('on')) e.addEventListener(k.slice(2), v);
    else if (k === 'style') e.style.cssText = v;
    else e.setAttribute(k, v);
  }
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
};
const tip = document.getElementById('tip');
const showTip = (event, text) => {
  tip.textContent = text;
  tip.hidden = !text;
  const right = event.clientX > innerWidth - 340;
  tip.style.left = (right ? Math.max(8, event.clientX - tip.offsetWidth - 12) : event.clientX + 14) + 'px';
  tip.style.top = Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8) + 'px';
};
const hideTip = () => { tip.hidden = true; };
