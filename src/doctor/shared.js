// SPDX-License-Identifier: MIT
// What the doctor's page and the view have in common: colours of verdicts, numbers in words, elements,
// and the words beside the pointer.
'use strict';
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const RULE_COLOUR = {
  gap: '--dark', carried: '--carried', hypervisor: '--machine', throttled: '--irq',
  recorder: '--dark', wrong_setup: '--others', idle_wake: '--machine', upstream: '--start',
  softirq: '--irq', fault_cow: '--fault', signal: '--own', shootdown: '--heapwait',
  interrupts: '--irq', fork_stall: '--blocked', mmap_lock: '--heapwait', reclaim: '--fault',
  fault_major: '--fault', fault_huge: '--fault', fault_minor: '--fault',
  heap_lock: '--heapwait', heap_work: '--heap', denormals: '--own',
  lock_inversion: '--blocked', lock_hold: '--blocked', blocking_call: '--blocked',
  stopped: '--others', own_work: '--own', kernel_busy: '--others', preempted: '--others',
  late_wake: '--start', blocked: '--blocked', unexplained: '--dark'};
const ON_TIME = 0, NOT_JUDGED = 255; // verdicts; between them 1 + the rule's place in the list
const colourOfVerdict = (rules, v) => v === ON_TIME ? '--ontime' : v === NOT_JUDGED ? '--line'
  : RULE_COLOUR[(rules[v - 1] || {}).name] || '--dark';
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
