// SPDX-License-Identifier: MIT
// A recording to move about in. Asks the server (view/server.h) for what the lanes in sight look like at the
// resolution of the screen, draws what it has until the answer is there, and never holds more than one
// picture. Times are nanoseconds after the begin of the recording. No libraries; shared.js stands before it.
(async () => {
  const $ = id => document.getElementById(id);
  const GONE = 'The server does not answer: is tactus view still running?';
  const ask = async (what, words) => {
    let answer;
    try {
      answer = await fetch(what + '?' + new URLSearchParams(words || {}));
    } catch (error) {
      throw new Error(GONE);
    }
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  };
  const HEAD = 19, GAP = 9, ZONE = 17, STRIP = 7, CORE = 15, CYCLE = 34, CURVE = 46, ROWS_MAX = 24;
  const STATES = ['', 'runs', 'could run, and does not', 'asleep', 'asleep, cannot be woken'];
  const STATE_COLOUR = ['', '--good', '--heapwait', '--line', '--blocked'];
  const HUES = 12;

  const failed = e => {
    const why = e.message || e.reason.message || String(e.reason);
    $('facts').textContent = why === GONE ? GONE : `This page has a mistake: ${why}`;
  };
  addEventListener('error', failed);
  addEventListener('unhandledrejection', failed);
  let about;
  try {
    about = await ask('about');
  } catch (error) {
    $('name').textContent = error.message;
    return;
  }

  // ---- what is where

  const first = Math.max(1, about.length);
  const lanes = []; // {key, letter, y, h, rows, head, ...} from top to bottom
  let height = 4;
  const add = lane => {
    if (lane.head) {
      height += lanes.length ? GAP : 0;
      lanes.push({y: height, h: HEAD, head: lane.head, soft: lane.soft || ''});
      height += HEAD;
    }
    const rows = Math.min(lane.rows || 1, ROWS_MAX);
    lanes.push({...lane, head: null, y: height, h: lane.each * rows});
    height += lane.each * rows + 2;
  };
  about.sources.forEach((s, i) => s.y && add({key: 'y' + i, each: CYCLE, head: s.name,
    soft: s.period ? `cycles, ${ns(s.period)} each` : 'cycles', period: s.period}));
  for (let i = 0; i < about.cores; i++)
    add({key: 'c' + i, each: CORE, head: i ? null : 'cores', soft: 'who ran', label: String(i)});
  const weight = t => (t.z ? 1e12 : 0) + (t.m ? 1e11 : 0) + t.stored;
  about.threads.map((t, i) => [t, i]).filter(([t]) => t.z + t.s + t.m + t.l + t.g)
    .sort((a, b) => weight(b[0]) - weight(a[0])).forEach(([t, i]) => {
      let head = t.name || 'thread';
      const soft = `thread ${t.tid}` + (t.lost ? `, ${count(t.lost)} events lost` : '');
      const of = (letter, rows, each, words) => {
        if (!rows) return;
        add({key: letter + i, rows, each, head, soft, label: words});
        head = null;
      };
      of('s', t.s, STRIP, null);
      of('z', t.z, ZONE, null);
      of('m', t.m, STRIP + 2, 'memory');
      of('l', t.l, STRIP + 2, 'locks');
      of('g', t.g, STRIP, 'lost');
    });
  if (about.memory) add({key: 'u', each: CURVE, head: 'memory in use', curve: bytes});
  about.plots.forEach(p => add({key: 'p' + p.site, each: CURVE, head: about.sites[p.site], soft: p.unit,
    curve: p.unit === 'B' ? bytes : v => Number(v.toPrecision(5)) + (p.unit ? ' ' + p.unit : '')}));
  const laneOf = new Map(lanes.filter(l => l.key).map(l => [l.key, l]));
  const ours = new Set(about.threads.map(t => t.tid));

  // ---- the window on it

  let from = 0, to = first, shift = 0, picked = null, data = [];
  const canvas = $('lanes'), overview = $('overview');
  const facts = [`${ns(first)}`, about.cycles ? `${count(about.cycles)} cycles, ${count(about.late)} late` +
    (about.late * 5 > about.misses.length ? ` (the first ${count(about.misses.length / 5)} are marked)` : '') : 'no cycles',
    about.program, about.problems].filter(Boolean).join(' · ');
  const LEAST = 200; // ns across the screen
  const go = (a, b) => {
    const length = Math.min(first * 1.04, Math.max(LEAST, b - a)), middle = (a + b) / 2;
    const low = -first * .02, high = first * 1.02 - length;
    from = Math.max(low, Math.min(high, middle - length / 2));
    to = from + length;
    change();
  };
  const scroll = y => {
    shift = Math.max(0, Math.min(height + 20 - canvas.clientHeight, y));
    change();
  };
  const zoom = (factor, at) => go(at - (at - from) * factor, at + (to - at) * factor);
  const xOf = t => (t - from) / (to - from) * canvas.clientWidth;
  const timeAt = x => from + (to - from) * x / canvas.clientWidth;

  // ---- questions: one at a time, the newest wins

  let asked = null, waiting = false;
  const inSight = () => lanes.filter(l => l.key && l.y + l.h > shift - 60 && l.y < shift + canvas.clientHeight + 60)
    .map(l => l.key).join(',');
  const refresh = async () => {
    const length = to - from, a = Math.max(0, Math.floor(from - length / 2)), b = Math.ceil(to + length / 2);
    const words = {lanes: inSight(), from: a, to: Math.max(a, b), pixels: Math.min(8192, 2 * canvas.clientWidth)};
    const text = JSON.stringify(words);
    if (waiting || text === asked || !words.pixels) return;
    waiting = true;
    try {
      data = await ask('lanes', words);
      asked = text;
      $('facts').textContent = facts;
    } catch (error) {
      $('facts').textContent = error.message;
    }
    waiting = false;
    draw();
    if (asked === text) refresh();
  };
  let drawing = false;
  const change = () => {
    if (!drawing) requestAnimationFrame(() => { drawing = false; draw(); refresh(); });
    drawing = true;
  };

  // ---- pictures

  const surface = c => {
    const scale = devicePixelRatio || 1, w = c.clientWidth, h = c.clientHeight;
    if (c.width !== Math.round(w * scale) || c.height !== Math.round(h * scale)) {
      c.width = Math.round(w * scale);
      c.height = Math.round(h * scale);
    }
    const g = c.getContext('2d');
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, w, h);
    return [g, w, h];
  };
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const hue = n => `hsl(${(n * 2654435761 >>> 8) % HUES * 360 / HUES + 8} ${dark.matches ? '45% 58%' : '48% 55%'})`;
  let colour = {};
  const named = name => colour[name] || (colour[name] = css(name));
  const fillOf = (letter, label) => {
    switch (letter) {
    case 'y': return named(colourOfVerdict(about.rules, label));
    case 'c': return ours.has(label) ? hue(label) : named('--carried');
    case 's': return named(STATE_COLOUR[label]);
    case 'm': return named(label === 1 ? '--heapfree' : '--heap');
    case 'l': return named('--blocked');
    case 'g': return named('--bad');
    default: return hue(label);
    }
  };
  const wordOf = (letter, label) => letter === 'z' ? about.sites[label]
    : letter === 'c' ? about.names[label] || String(label) : letter === 'm' ? about.operations[label] || '' : '';

  const drawSpans = (g, w, lane, row, a) => {
    const letter = lane.key[0], y = lane.y - shift + row * lane.each, h = lane.each - (lane.each > 9 ? 1.5 : 1);
    const scale = w / (to - from);
    let edge = -1;
    for (let i = 0; i < a.length; i += 6) {
      let x = (a[i] - from) * scale, x2 = x + a[i + 1] * scale;
      if (x2 < 0 || x > w) continue;
      x = Math.max(x, -1);
      x2 = Math.min(Math.max(x2, x + 1), w + 1);
      if (x2 <= edge && a[i + 2] === 1) continue;
      const full = letter === 'y' && a[i + 2] === 1 && lane.period ? Math.min(1, .25 + .75 * a[i + 1] / lane.period) : 1;
      g.globalAlpha = a[i + 2] > 1 ? Math.max(.25, Math.min(1, a[i + 3] / (a[i + 1] || 1))) : 1;
      g.fillStyle = fillOf(letter, a[i + 5]);
      g.fillRect(x, y + h * (1 - full), x2 - x > 3 ? x2 - x - .6 : x2 - x, h * full);
      edge = x2;
      if (x2 - x > 34 && h > 12 && a[i + 2] === 1) {
        const word = wordOf(letter, a[i + 5]);
        if (word) {
          g.save();
          g.beginPath(); g.rect(x, y, x2 - x - 3, h); g.clip();
          g.globalAlpha = 1;
          g.fillStyle = dark.matches ? '#14161a' : '#fff';
          g.fillText(word, Math.max(x, 0) + 4, y + h - 4);
          g.restore();
        }
      }
      if (picked && picked.lane === letter && picked.index === a[i + 4] && a[i + 2] === 1 && letter !== 'c' && letter !== 's') {
        g.globalAlpha = 1;
        g.strokeStyle = named('--ink');
        g.lineWidth = 1.5;
        g.strokeRect(x + .5, y + .5, Math.max(2, x2 - x - 1), h - 1);
      }
    }
    g.globalAlpha = 1;
  };
  const drawCurve = (g, w, lane, a) => {
    const y = lane.y - shift + 2, h = lane.each - 6;
    let low = Infinity, high = -Infinity;
    for (let i = 0; i < a.length; i += 4) {
      if (a[i] > to) break;
      low = Math.min(low, a[i + 1]);
      high = Math.max(high, a[i + 2]);
    }
    if (high < low) return;
    low = Math.min(low, 0);
    const size = high - low || 1, yOf = v => y + h * (1 - (v - low) / size);
    g.fillStyle = g.strokeStyle = named('--heap');
    g.lineWidth = 1.2;
    g.beginPath();
    for (let i = 0; i < a.length; i += 4) {
      const x = xOf(a[i]);
      if (i) g.lineTo(x, yOf(a[i - 1]));
      g.lineTo(x, yOf(a[i + 2])); g.lineTo(x, yOf(a[i + 1])); g.lineTo(x, yOf(a[i + 3]));
    }
    g.stroke();
    g.fillStyle = named('--soft');
    g.fillText(lane.curve(high), 4, y + 9);
  };
  const step = () => {
    const wanted = (to - from) / Math.max(2, canvas.clientWidth / 130), ten = 10 ** Math.floor(Math.log10(wanted));
    return [1, 2, 5, 10].map(k => k * ten).find(s => s >= wanted);
  };
  const drawGrid = (g, w, h) => {
    const each = step();
    g.strokeStyle = named('--line');
    g.fillStyle = named('--soft');
    g.lineWidth = 1;
    for (let t = Math.ceil(from / each) * each; t <= to; t += each) {
      const x = Math.round(xOf(t)) + .5;
      g.beginPath(); g.moveTo(x, 0); g.lineTo(x, h); g.stroke();
    }
  };
  const drawLate = (g, h) => { // from a late cycle's deadline to its end
    const m = about.misses;
    g.fillStyle = named('--deadline');
    for (let i = 0; i < m.length; i += 5) {
      if (m[i + 2] < from || m[i + 1] > to) continue;
      const a = xOf(m[i + 2] - m[i + 3]), b = xOf(m[i + 2]);
      if (b - a < 1.5) continue;
      g.globalAlpha = .1;
      g.fillRect(a, 0, b - a, h);
      g.globalAlpha = 1;
      g.fillRect(a, 0, 1.2, h);
    }
  };
  const draw = () => {
    const [g, w, h] = surface(canvas);
    g.font = '11px system-ui, sans-serif';
    drawGrid(g, w, h);
    drawLate(g, h);
    for (const [key, row, a] of data) {
      const lane = laneOf.get(key);
      if (!lane || row >= ROWS_MAX || lane.y + lane.h < shift || lane.y > shift + h) continue;
      if (lane.curve) drawCurve(g, w, lane, a);
      else drawSpans(g, w, lane, row, a);
    }
    for (const lane of lanes) {
      const y = lane.y - shift;
      if (y > h || y + lane.h < 0) continue;
      if (lane.head) {
        g.font = '600 12.5px system-ui, sans-serif';
        g.fillStyle = named('--ink');
        g.fillText(lane.head, 4, y + 14);
        const width = g.measureText(lane.head).width;
        g.font = '11px system-ui, sans-serif';
        g.fillStyle = named('--soft');
        g.fillText(lane.soft, 12 + width, y + 14);
      } else if (lane.label) {
        const width = g.measureText(lane.label).width + 6;
        g.globalAlpha = .8;
        g.fillStyle = named('--card');
        g.fillRect(w - width - 2, y, width + 2, Math.max(lane.h - 1, 11));
        g.globalAlpha = 1;
        g.fillStyle = named('--soft');
        g.fillText(lane.label, w - width + 2, y + 10);
      }
    }
    drawOverview();
    $('where').textContent = `${span(Math.max(0, from))} … ${span(Math.min(first, to))}  (${ns(to - from)})`;
  };
  const span = t => (t / 1e9).toFixed(Math.max(2, Math.min(9, 10 - Math.floor(Math.log10(to - from))))) + ' s';

  let whole = [];
  const drawOverview = () => {
    const [g, w, h] = surface(overview);
    for (const [key, , a] of whole) {
      const lane = laneOf.get(key), letter = key[0];
      if (lane.curve) continue;
      for (let i = 0; i < a.length; i += 6) {
        g.globalAlpha = letter === 'y' || a[i + 2] === 1 ? 1 : Math.max(.2, Math.min(1, a[i + 3] / (a[i + 1] || 1)));
        g.fillStyle = letter === 'y' ? named('--ontime') : fillOf(letter, a[i + 5]);
        g.fillRect(a[i] / first * w, h - 15, Math.max(1, a[i + 1] / first * w), 12);
      }
    }
    g.globalAlpha = 1;
    const m = about.misses, worst = Math.max(1, ...m.filter((_, i) => i % 5 === 3));
    for (let i = 0; i < m.length; i += 5) {
      const tall = 4 + (h - 22) * Math.sqrt(m[i + 3] / worst);
      g.fillStyle = named(colourOfVerdict(about.rules, m[i + 4]));
      g.fillRect(m[i + 1] / first * w - .5, h - 16 - tall, 1.6, tall + 13);
    }
    const a = Math.max(0, from / first * w), b = Math.min(w, to / first * w);
    g.fillStyle = named('--accent');
    g.globalAlpha = .14;
    g.fillRect(a, 0, Math.max(2, b - a), h);
    g.globalAlpha = 1;
    g.fillRect(a, 0, 1.5, h);
    g.fillRect(Math.max(a + 1, b - 1.5), 0, 1.5, h);
  };

  // ---- what is under a point

  const spanAt = (x, y) => {
    const at = y + shift, t = timeAt(x), reach = (to - from) / canvas.clientWidth * 2;
    for (const [key, row, a] of data) {
      const lane = laneOf.get(key);
      if (!lane || lane.curve || at < lane.y + row * lane.each || at >= lane.y + (row + 1) * lane.each) continue;
      let best = null;
      for (let i = 0; i < a.length; i += 6) {
        const off = t < a[i] ? a[i] - t : t > a[i] + a[i + 1] ? t - a[i] - a[i + 1] : 0;
        if (off <= reach && (!best || off < best.off))
          best = {off, lane, letter: key[0], from: a[i], length: a[i + 1], count: a[i + 2], busy: a[i + 3],
            index: a[i + 4], label: a[i + 5]};
      }
      return best;
    }
    return null;
  };
  const words = s => {
    const rule = s.letter === 'y' && s.label > ON_TIME && s.label < NOT_JUDGED ? about.rules[s.label - 1].title : '';
    const what = s.letter === 'y' ? (rule || (s.label === ON_TIME ? 'in time' : 'not judged'))
      : s.letter === 's' ? STATES[s.label] : s.letter === 'l' ? 'waited for a lock' +
      (s.label ? `, held by ${about.names[s.label] || s.label}` : '') : s.letter === 'g' ? 'events were lost here'
      : wordOf(s.letter, s.label);
    if (s.count === 1) return `${what}\n${ns(s.length)}`;
    return `${count(s.count)} in ${ns(s.length)}, ${ns(s.busy)} in all\nthe longest: ${what}`;
  };
  const valueAt = (x, y) => {
    for (const [key, , a] of data) {
      const lane = laneOf.get(key);
      if (!lane || !lane.curve || y + shift < lane.y || y + shift >= lane.y + lane.h) continue;
      let i = 0;
      while (i + 4 < a.length && a[i + 4] <= timeAt(x)) i += 4;
      return a.length ? lane.curve(a[i + 2]) : null;
    }
    return null;
  };
  const show = async (letter, index) => {
    const item = await ask('item', {lane: letter, index});
    if (!item.title) return;
    picked = {lane: letter, index, from: item.from, to: item.to};
    $('title').textContent = item.title;
    $('rows').replaceChildren(...item.rows.map(([what, value]) => el('tr', {}, el('td', {}, what), el('td', {}, value))));
    $('stack').replaceChildren(...item.stack.map(line => el('li', {}, line)));
    $('stack').hidden = !item.stack.length;
    $('panel').hidden = false;
    change();
  };
  const around = (a, b, share) => { const room = Math.max(LEAST, b - a) * (1 / share - 1) / 2; go(a - room, b + room); };
  const pick = (x, y) => {
    const s = spanAt(x, y);
    if (!s) return;
    if (s.count > 1) around(s.from, s.from + s.length, .6);
    else if (s.letter === 'c' || s.letter === 's') around(s.from, s.from + s.length, .4);
    else show(s.letter, s.index);
  };

  // ---- late cycles, and the search

  const late = way => {
    const m = about.misses, middle = picked && picked.lane === 'y' ? picked.from : (from + to) / 2;
    let found = -1;
    for (let i = 0; i < m.length; i += 5)
      if (way > 0 ? m[i + 1] > middle && found < 0 : m[i + 1] < middle) found = i;
    if (found < 0) return;
    const i = found;
    show('y', m[i]);
    around(m[i + 1], m[i + 2], .45);
  };
  const find = async back => {
    const name = $('find').value.trim();
    if (!name) return;
    const at = picked && picked.lane === 'z' ? picked.from : Math.max(0, Math.floor(from));
    const z = await ask('find', {name, at, back: back ? 1 : 0});
    $('find').setAttribute('aria-invalid', z.index === null);
    if (z.index === null) { $('where').textContent = `no zone “${name}” ${back ? 'before' : 'after'} this`; return; }
    const lane = laneOf.get('z' + z.thread);
    if (lane && (lane.y < shift || lane.y > shift + canvas.clientHeight - 60)) scroll(lane.y - 80);
    show('z', z.index);
    around(z.from, z.to, .2);
  };

  // ---- hands

  const fingers = new Map();
  let moved = 0;
  canvas.addEventListener('pointerdown', e => {
    canvas.setPointerCapture(e.pointerId);
    fingers.set(e.pointerId, [e.offsetX, e.offsetY]);
    moved = 0;
    hideTip();
  });
  canvas.addEventListener('pointermove', e => {
    const was = fingers.get(e.pointerId);
    if (!was) {
      const s = spanAt(e.offsetX, e.offsetY), value = s ? null : valueAt(e.offsetX, e.offsetY);
      return showTip(e, s ? words(s) : value || '');
    }
    const others = [...fingers].filter(([id]) => id !== e.pointerId).map(([, p]) => p);
    moved += Math.abs(e.offsetX - was[0]) + Math.abs(e.offsetY - was[1]);
    fingers.set(e.pointerId, [e.offsetX, e.offsetY]);
    if (others.length) {
      const other = others[0][0], fixed = timeAt(other);
      const factor = Math.abs(was[0] - other) / Math.max(8, Math.abs(e.offsetX - other));
      return zoom(Math.max(.2, Math.min(5, factor)), fixed);
    }
    const by = (was[0] - e.offsetX) / canvas.clientWidth * (to - from);
    scroll(shift + was[1] - e.offsetY);
    go(from + by, to + by);
  });
  const lift = e => {
    if (fingers.delete(e.pointerId) && e.type === 'pointerup' && moved < 5 && !fingers.size) pick(e.offsetX, e.offsetY);
  };
  canvas.addEventListener('pointerup', lift);
  canvas.addEventListener('pointercancel', lift);
  canvas.addEventListener('pointerleave', hideTip);
  canvas.addEventListener('wheel', e => {
    e.preventDefault();
    if (e.shiftKey) return scroll(shift + (e.deltaY || e.deltaX));
    if (Math.abs(e.deltaX) > Math.abs(e.deltaY)) {
      const by = e.deltaX / canvas.clientWidth * (to - from);
      return go(from + by, to + by);
    }
    zoom(Math.exp(Math.max(-200, Math.min(200, e.deltaY * (e.deltaMode ? 30 : 1))) / 350), timeAt(e.offsetX));
  }, {passive: false});
  const place = e => {
    const at = e.offsetX / overview.clientWidth * first, half = (to - from) / 2;
    go(at - half, at + half);
  };
  overview.addEventListener('pointerdown', e => { overview.setPointerCapture(e.pointerId); place(e); });
  overview.addEventListener('pointermove', e => { if (e.buttons) place(e); });
  const middle = () => (from + to) / 2, slide = part => go(from + (to - from) * part, to + (to - from) * part);
  const keys = {'0': () => go(0, first), '+': () => zoom(.5, middle()), '=': () => zoom(.5, middle()), w: () => zoom(.5, middle()),
    '-': () => zoom(2, middle()), s: () => zoom(2, middle()), a: () => slide(-.25), d: () => slide(.25),
    ArrowLeft: () => slide(-.25), ArrowRight: () => slide(.25), ArrowUp: () => scroll(shift - 60),
    ArrowDown: () => scroll(shift + 60), n: () => late(1), p: () => late(-1), Escape: () => $('close').click(),
    '/': () => $('find').focus()};
  addEventListener('keydown', e => {
    if (e.target === $('find') || e.ctrlKey || e.altKey || e.metaKey || !keys[e.key]) return;
    e.preventDefault();
    keys[e.key]();
  });
  $('find').addEventListener('keydown', e => {
    if (e.key === 'Enter') find(e.shiftKey);
    if (e.key === 'Escape') canvas.focus();
  });
  const on = (id, action) => $(id).addEventListener('click', action);
  on('all', keys['0']); on('closer', keys['+']); on('wider', keys['-']); on('before', keys.p); on('after', keys.n);
  on('close', () => { $('panel').hidden = true; picked = null; change(); });
  on('to-it', () => picked && around(picked.from, picked.to, .7));
  new ResizeObserver(change).observe(canvas);
  dark.addEventListener('change', () => { colour = {}; change(); });

  // ---- begin

  document.title = `${about.name} · Tactus view`;
  $('name').textContent = about.name;
  $('facts').textContent = facts;
  $('late-tools').hidden = !about.late;
  const overall = lanes.filter(l => l.key && l.key[0] === 'y').map(l => l.key).join(',') ||
    (lanes.find(l => l.key && 'zc'.includes(l.key[0])) || {key: ''}).key;
  whole = (await ask('lanes', {lanes: overall, from: 0, to: first, pixels: 2000})).filter(r => r[1] === 0);
  go(0, first);
})();
