// SPDX-License-Identifier: MIT
// Draws the report from the two JSON blocks of the page. No libraries, nothing is loaded; shared.js
// stands before it.
(() => {
  const read = id => JSON.parse(document.getElementById(id).textContent);
  const report = read('report'), pics = read('pictures');
  const ACCOUNT_COLOUR = ['--own', '--heap', '--heapwait', '--fault', '--blocked', '--others',
    '--irq', '--machine', '--start', '--carried', '--dark', '--dark'];
  const ruleByName = Object.fromEntries(pics.rules.map(r => [r.name, r]));
  const ruleColour = name => `var(${colourOfRule(name)})`;
  const verdictColour = v => colourOfVerdict(pics.rules, v);
  const sure = c => c >= .95 ? 'certain' : c >= .8 ? 'likely' : c > 0 ? 'possible' : '';

  const svg = (tag, attributes, text) => {
    const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    if (text !== undefined) e.textContent = text;
    return e;
  };
  const byCycle = new Map(report.runs.map(run => [run, new Map(run.misses.map(m => [m.cycle, m]))]));
  const missOf = (run, cycle) => byCycle.get(run).get(cycle);
  const swatch = colour => el('i', {style: `background:${colour}`});

  // ---- canvases that follow the width and the colour scheme
  const redraws = [];
  const onCanvas = (canvas, draw) => {
    const redraw = () => {
      const scale = devicePixelRatio || 1, box = canvas.getBoundingClientRect();
      if (!box.width) return;
      canvas.width = box.width * scale;
      canvas.height = box.height * scale;
      const g = canvas.getContext('2d');
      g.scale(scale, scale);
      draw(g, box.width, box.height);
    };
    redraws.push(redraw);
    return canvas;
  };

  // ---- scoreboard
  const score = run => {
    const missed = run.missed;
    return el('div', {class: 'score'},
      el('div', {class: 'name'}, run.name),
      el('div', {class: 'big ' + (missed ? 'bad' : 'good')}, run.judged ? count(missed) : '\u2013'),
      el('div', {class: 'of'}, run.judged ? `of ${count(run.judged)} deadlines missed` +
        (missed ? ` (${(100 * missed / run.judged).toPrecision(3)} %), worst by ${ns(run.worst_ns)}` : '')
        : 'no cycle with a deadline'),
      run.causes.length ? el('div', {class: 'mix', 'aria-hidden': 'true'}, ...run.causes.map(c =>
        el('i', {style: `width:${100 * c.share}%;background:${ruleColour(c.rule)}`}))) : null,
      run.causes.length ? el('ul', {class: 'legend'}, ...run.causes.filter(c => c.share >= .005).slice(0, 3).map(c =>
        el('li', {}, swatch(ruleColour(c.rule)), `${(100 * c.share).toFixed(0)} % ${c.title}`))) : null);
  };

  // ---- the strip of all cycles
  const isLate = verdict => verdict !== ON_TIME && verdict !== NOT_JUDGED;
  const strip = (run, pic, jump) => {
    const data = pic.strip, n = data.length;
    const top = Math.max(1.25, Math.min(4, Math.max(...data.map(d => d[2]), 0) * 1.05));
    const draw = (g, w, h) => {
      const y = load => h - 2 - (h - 10) * Math.min(load, top) / top;
      const width = w / n;
      const paint = wanted => {
        for (let i = 0; i < n; i++) {
          const [, verdict, load] = data[i];
          if ((verdict !== ON_TIME) !== wanted) continue;
          g.fillStyle = css(verdictColour(verdict));
          g.fillRect(i * width, y(load), Math.max(width > 3 ? width - 1 : width, wanted ? 1.4 : .7), h - 2 - y(load));
        }
      };
      paint(false);
      paint(true);
      g.strokeStyle = css('--deadline');
      g.setLineDash([4, 3]);
      g.beginPath(); g.moveTo(0, y(1)); g.lineTo(w, y(1)); g.stroke();
      g.font = '11px system-ui, sans-serif';
      g.fillStyle = css('--card');
      g.globalAlpha = .85;
      g.fillRect(2, y(1) - 15, g.measureText('deadline').width + 6, 14);
      g.globalAlpha = 1;
      g.fillStyle = css('--deadline');
      g.fillText('deadline', 5, y(1) - 4);
    };
    // The bar under the pointer; where bars are thinner than it, the fullest late one there.
    const at = event => {
      const box = canvas.getBoundingClientRect(), reach = 3 * n / box.width;
      const place = (event.clientX - box.left) / box.width * n;
      const exact = data[Math.max(0, Math.min(n - 1, Math.floor(place)))];
      const near = isLate(exact[1]) || reach < 1 ? [] :
        data.slice(Math.max(0, Math.floor(place - reach)), Math.ceil(place + reach)).filter(d => isLate(d[1]));
      return near.reduce((a, b) => b[2] > a[2] ? b : a, near[0] || exact);
    };
    const canvas = onCanvas(el('canvas', {class: 'strip', role: 'img',
      'aria-label': `Strip of ${run.cycles} cycles; ${run.missed} missed their deadline`,
      onclick: e => jump(...at(e)), onmouseleave: hideTip,
      onmousemove: e => {
        const [cycle, verdict, load] = at(e);
        showTip(e, `cycle ${cycle}: ${(100 * load).toFixed(0)} % of its time\n` +
          (verdict === ON_TIME ? 'in time' : verdict === NOT_JUDGED ? 'not judged' : pics.rules[verdict - 1].title) +
          (pic.each > 1 ? `\n(the worst of ${pic.each} cycles)` : ''));
      }}), draw);
    return canvas;
  };

  // ---- timeline of one miss
  const niceStep = span => {
    const raw = span / 7, mag = 10 ** Math.floor(Math.log10(raw));
    return [1, 2, 5, 10].find(m => m * mag >= raw) * mag;
  };
  const OPS = ['malloc', 'free', 'realloc', 'pool get', 'pool put', 'refused malloc'];
  const NAME_HUES = new Map();
  const nameColour = name => {
    if (!NAME_HUES.has(name)) NAME_HUES.set(name, (NAME_HUES.size * 67 + 190) % 360);
    return `hsl(${NAME_HUES.get(name)} 42% 52%)`;
  };

  const timeline = (t, room) => {
    const narrow = innerWidth < 640;
    const left = narrow ? 76 : 128, width = Math.max(620, room);
    const x = us => left + (us - t.from) / (t.to - t.from) * (width - left - 8);
    const picture = svg('svg', {viewBox: '0 0 10 10', width, role: 'img'});
    const lanes = [];
    const depth = Math.min(6, Math.max(-1, ...t.zones.filter(z => z[0] === t.thread).map(z => z[3])) + 1);
    lanes.push({name: 'the cycle', h: 26, draw: drawSegments});
    if (depth > 0) lanes.push({name: t.threads[t.thread] || 'zones', h: depth * 17, draw: drawZones});
    if (t.memory.some(m => m[0] === t.thread)) lanes.push({name: 'memory', h: 18, draw: y => drawMemory(y, t.thread)});
    if (t.locks.some(l => l[0] === t.thread)) lanes.push({name: 'locks', h: 18, draw: drawLocks});
    if (t.faults.length) lanes.push({name: 'page faults', h: 14, draw: drawFaults});
    const others = [...new Set([...t.memory.map(m => m[0])])].filter(i => i !== t.thread).slice(0, 4);
    for (const i of others) lanes.push({name: (t.threads[i] || 'thread') + ' memory', h: 18, draw: y => drawMemory(y, i)});
    for (const cpu of [...new Set(t.cores.map(c => c[0]))].sort((a, b) => a - b).slice(0, 8))
      lanes.push({name: 'CPU ' + cpu, h: 18, draw: y => drawCore(y, cpu)});

    function box(from, to, y, h, fill, text, label) {
      const w = Math.max(.8, x(to) - x(from));
      const r = svg('rect', {x: x(from).toFixed(2), y, width: w.toFixed(2), height: h, rx: w > 6 ? 2 : 0,
        style: `fill:${fill}`});
      r.addEventListener('mousemove', e => showTip(e, text));
      r.addEventListener('mouseleave', hideTip);
      picture.append(r);
      if (label && w > label.length * 6 + 8)
        picture.append(svg('text', {class: 'zt', x: x(from) + 4, y: y + h / 2 + 4}, label));
    }
    function drawSegments(y) {
      for (const [a, b, account] of t.segments)
        box(a, b, y, 24, `var(${ACCOUNT_COLOUR[account]})`,
          `${pics.accounts[account]}\n${time(b - a)}`, pics.accounts[account]);
    }
    function drawZones(y) {
      for (const [thread, a, b, d, name, call] of t.zones)
        if (thread === t.thread && d < 6)
          box(a, b, y + d * 17, 15, call ? 'var(--blocked)' : nameColour(name), `${name}\n${time(b - a)}`, name);
    }
    function drawMemory(y, wanted) {
      for (const [thread, a, b, op, size, n] of t.memory)
        if (thread === wanted)
          box(a, b, y, 16, n > 1 ? 'var(--heap)' : op === 1 ? 'var(--heapfree)' : 'var(--heap)',
            `${n > 1 ? count(n) + ' memory calls' : OPS[op] || 'memory'}${size ? ', ' + bytes(size) : ''}\n${time(b - a)}`,
            n > 1 ? count(n) + ' calls' : OPS[op]);
    }
    function drawLocks(y) {
      for (const [thread, a, b, holder] of t.locks)
        if (thread === t.thread)
          box(a, b, y, 16, 'var(--blocked)', `waited for a lock held by ${holder}\n${time(b - a)}`, 'held by ' + holder);
    }
    function drawFaults(y) {
      for (const at of t.faults)
        picture.append(svg('path', {d: `M${x(at)} ${y}l4 10h-8z`, style: 'fill:var(--fault)'}));
    }
    function drawCore(y, wanted) {
      for (const [cpu, a, b, name, own] of t.cores)
        if (cpu === wanted)
          box(a, b, y, 16, own ? 'var(--own)' : nameColour(name), `${name} ran\n${time(b - a)}`, name);
    }

    let y = 24;
    const height = y + lanes.reduce((s, l) => s + l.h + 9, 0) + 6;
    picture.setAttribute('viewBox', `0 0 ${width} ${height}`);
    picture.setAttribute('height', height);
    picture.style.width = width + 'px';
    picture.append(svg('rect', {class: 'late', x: x(t.deadline), y: 18, width: Math.max(0, x(t.end) - x(t.deadline)), height: height - 22}));
    const step = niceStep(t.to - t.from);
    for (let at = Math.ceil(t.from / step) * step; at <= t.to; at += step) {
      picture.append(svg('line', {class: 'grid', x1: x(at), x2: x(at), y1: 18, y2: height - 4}));
      if (Math.abs(x(at) - x(t.deadline)) > 46)
        picture.append(svg('text', {class: 'axis', x: x(at), y: 12, 'text-anchor': 'middle'}, time(at).replace(/\.0+ /, ' ')));
    }
    for (const lane of lanes) {
      const letters = narrow ? 11 : 19;
      picture.append(svg('text', {class: 'lane', x: 0, y: y + 13},
        lane.name.length > letters ? lane.name.slice(0, letters - 1) + '\u2026' : lane.name));
      lane.draw(y);
      y += lane.h + 9;
    }
    picture.append(svg('line', {class: 'dl', x1: x(t.deadline), x2: x(t.deadline), y1: 16, y2: height - 4}));
    picture.append(svg('text', {class: 'dlt', x: x(t.deadline), y: 12, 'text-anchor': 'middle'}, 'deadline'));
    return picture;
  };

  // ---- the worst misses of a run, one shown at a time
  const misses = (run, pic) => {
    if (!pic.timelines.length) return null;
    const stage = el('div', {class: 'scroll'}), story = el('ul', {class: 'story'});
    const chips = el('div', {class: 'chips'});
    let shown = 0;
    const sentences = miss => miss.verdicts.map(v => el('li', {}, swatch(ruleColour(v.rule)), el('b', {}, ns(v.ns)), ' ',
      ruleByName[v.rule].title, (sure(v.confidence) && ' (' + sure(v.confidence) + ')') + ': ' + v.text));
    const press = i => [...chips.children].forEach((c, k) => c.setAttribute('aria-pressed', k === i));
    const show = i => {
      shown = i;
      const t = pic.timelines[i];
      story.replaceChildren(el('li', {}, `Cycle ${t.cycle}, ${t.at.toFixed(3)} s into the recording, `,
        el('b', {}, `late by ${time(t.end - t.deadline)}`), ':'), ...sentences(missOf(run, t.cycle)));
      stage.replaceChildren(timeline(t, stage.clientWidth || 1000));
      press(i);
    };
    // A cycle without a timeline: what is known of it in words.
    const tell = (cycle, verdict, load) => {
      const miss = missOf(run, cycle);
      shown = -1;
      story.replaceChildren(el('li', {}, `Cycle ${cycle} `, el('b', {}, miss ? `was late by ${ns(miss.late_ns)}`
        : isLate(verdict) ? 'was late' : verdict === NOT_JUDGED ? 'was not judged' : `was in time: it used ${(100 * load).toFixed(0)} % of it`),
      miss || !isLate(verdict) ? '; its timeline is not drawn.' : `: ${pics.rules[verdict - 1].title}; ` +
        'of so many late ones this report lists the worst only.'), ...(miss ? sentences(miss) : []));
      stage.replaceChildren();
      press(-1);
    };
    pic.timelines.sort((a, b) => b.end - b.deadline - (a.end - a.deadline));
    pic.timelines.forEach((t, i) => {
      const miss = missOf(run, t.cycle);
      chips.append(el('button', {class: 'chip', type: 'button', onclick: () => show(i)},
        swatch(ruleColour(miss.verdicts[0].rule)), '+' + time(t.end - t.deadline)));
    });
    redraws.push(() => shown < 0 || show(shown));
    const jump = (cycle, verdict, load) => {
      const drawn = pic.timelines.findIndex(t => t.cycle === cycle);
      if (drawn < 0) tell(cycle, verdict, load);
      else show(drawn);
      chips.scrollIntoView({behavior: 'smooth', block: 'start'});
    };
    const used = [...new Set(pic.timelines.flatMap(t => t.segments.map(s => s[2])))].sort((a, b) => a - b);
    return {jump, node: el('div', {}, el('h3', {}, 'The worst misses, drawn', el('small', {}, 'the shaded part is too late')),
      chips, story, stage, el('ul', {class: 'legend'}, ...used.map(a =>
        el('li', {}, swatch(`var(${ACCOUNT_COLOUR[a]})`), pics.accounts[a]))))};
  };

  // ---- causes
  const causes = (run, pic, jump) => {
    if (!run.causes.length) return null;
    const isSmall = c => !c.misses && c.share < .005;
    const large = run.causes.filter(c => !isSmall(c)), small = run.causes.filter(isSmall);
    const row = c => {
      const worst = pic.timelines.find(t => missOf(run, t.cycle).verdicts[0].rule === c.rule);
      return el('tr', worst ? {class: 'go', onclick: () => jump(worst.cycle)} : {},
        el('td', {class: 'n'}, (100 * c.share).toFixed(1) + ' %'),
        el('td', {}, swatch(ruleColour(c.rule)), el('b', {}, c.title), sure(c.confidence) && ` \u2014 ${sure(c.confidence)}`,
          el('div', {class: 'phone'}, `${count(c.misses)} ${c.misses === 1 ? 'miss' : 'misses'}, ${ns(c.lost_ns)} lost`),
          el('div', {class: 'why'}, ruleByName[c.rule].means),
          c.sampled ? el('div', {class: 'where'}, c.sampled) : null,
          blame(run, c.place) ? el('div', {class: 'where'}, blame(run, c.place)) : null,
          el('div', {class: 'todo'}, c.advice)),
        el('td', {class: 'n hide'}, count(c.misses), c.carried ? el('div', {class: 'why'}, `${count(c.carried)} carried`) : null),
        el('td', {class: 'n hide'}, ns(c.lost_ns)),
        el('td', {class: 'n hide'}, c.worst_ns ? ns(c.worst_ns) : '\u2013'));
    };
    return el('div', {}, el('h3', {}, 'What the lost time went to'), el('table', {},
      el('thead', {}, el('tr', {}, el('th', {class: 'n'}, 'share'), el('th', {}, 'cause, and what to do'),
        el('th', {class: 'n hide'}, 'misses'), el('th', {class: 'n hide'}, 'time lost'), el('th', {class: 'n hide'}, 'worst'))),
      el('tbody', {}, ...large.map(row))),
      small.length ? el('p', {class: 'meta'}, 'Below 0.5 % each, and never the largest part: ' +
        small.map(c => c.title).join(', ') + '.') : null);
  };

  // ---- call sites
  const frameText = f => f.function ? f.function + ' (' + f.module + (f.file ? `, ${f.file}:${f.line}` : '') + ')'
    : 'a function of ' + f.module;
  function blame(run, place) {
    const p = place === null || place === undefined ? null : run.places[place];
    return p && p.blame !== null ? `${frameText(p.frames[p.blame])} ${p.kind === 'lock' ? 'took' : 'called'} ${p.what}` : null;
  }
  const callSites = run => {
    const sites = run.places.filter(p => p.blame !== null && p.in_cycles);
    if (!sites.length) return null;
    const row = p => el('tr', {}, el('td', {}, el('b', {}, p.what)),
      el('td', {}, frameText(p.frames[p.blame]), el('div', {class: 'phone'}, `${count(p.in_cycles)} stacks, worst ${ns(p.worst_ns)}`), el('div', {class: 'why'},
        p.frames.slice(p.blame + 1).filter(f => f.function).slice(0, 4).map(f => '\u2190 ' + frameText(f)).join('  '))),
      el('td', {class: 'n hide'}, count(p.in_cycles), el('div', {class: 'why'}, 'worst ' + ns(p.worst_ns))));
    return el('div', {}, el('h3', {}, 'Where in the program',
      el('small', {}, 'call stacks taken inside cycles; the first function that is not the system\u2019s')),
    el('table', {class: 'sites'}, el('thead', {}, el('tr', {}, el('th', {}, 'call'), el('th', {}, 'by'), el('th', {class: 'n hide'}, 'stacks'))),
      el('tbody', {}, ...sites.slice(0, 14).map(row))));
  };

  // ---- memory
  const memory = (run, pic) => {
    if (!pic.curve) return null;
    const c = pic.curve, top = Math.max(...c.bytes, 1);
    const draw = (g, w, h) => {
      const x = i => i / (c.bytes.length - 1) * w, y = b => h - 16 - (h - 26) * b / top;
      g.beginPath();
      g.moveTo(0, h - 16);
      c.bytes.forEach((b, i) => g.lineTo(x(i), y(b)));
      g.lineTo(w, h - 16);
      g.closePath();
      g.globalAlpha = .22; g.fillStyle = css('--heap'); g.fill();
      g.globalAlpha = 1; g.strokeStyle = css('--heap'); g.lineWidth = 1.6;
      g.beginPath();
      c.bytes.forEach((b, i) => i ? g.lineTo(x(i), y(b)) : g.moveTo(x(i), y(b)));
      g.stroke();
      g.fillStyle = css('--soft'); g.font = '11px system-ui, sans-serif';
      g.fillText(bytes(top), 2, 10);
      g.fillText('0 s', 2, h - 3);
      const end = (c.step * c.bytes.length).toFixed(1) + ' s';
      g.fillText(end, w - g.measureText(end).width - 2, h - 3);
    };
    const canvas = onCanvas(el('canvas', {class: 'curve', role: 'img', 'aria-label': 'Memory in use over time',
      onmouseleave: hideTip, onmousemove: e => {
        const b = e.target.getBoundingClientRect();
        const i = Math.max(0, Math.min(c.bytes.length - 1, Math.round((e.clientX - b.left) / b.width * (c.bytes.length - 1))));
        showTip(e, `${(i * c.step).toFixed(2)} s: ${bytes(c.bytes[i])}${c.plotted ? '' : ` in ${count(c.blocks[i])} blocks`}`);
      }}), draw);
    const m = run.memory;
    return el('div', {}, el('h3', {}, 'Memory in use', el('small', {}, `peak ${bytes(c.peak)}, ${c.plotted ? 'as the program counts it' : c.lossy ? 'as far as the recording saw it; operations were lost, so this may be too much' : 'as the recording saw it'}`)), canvas,
      el('p', {class: 'meta'}, `${count(m.cycle_calls)} calls to memory functions inside cycles took ${ns(m.cycle_ns)} in all, ` +
        `the longest single one ${ns(m.cycle_worst_ns)}${m.failed ? `; ${m.failed} allocations were refused` : ''}.`));
  };

  const hazards = run => {
    if (!run.hazards.length) return null;
    const grade = ['note', 'warning', 'serious'];
    return el('details', {}, el('summary', {}, 'Calls inside cycles that can make them late, even where they did not'),
      el('table', {}, el('tbody', {}, ...run.hazards.map(h => el('tr', {}, el('td', {}, grade[h.grade]), el('td', {}, h.what,
        blame(run, h.place) ? el('div', {class: 'why'}, 'by ' + blame(run, h.place).replace(/ (called|took) .*/, '')) : null),
        el('td', {class: 'n'}, `${count(h.count)} in ${count(h.cycles)} cycles`), el('td', {class: 'n'}, 'worst ' + ns(h.worst_ns)))))));
  };

  const evidence = (run, pic) => el('details', {}, el('summary', {}, 'Evidence, and what could not be seen'),
    el('div', {class: 'two'}, ...pics.evidence.map(([name, sees, dark]) =>
      el('p', {class: run.evidence[name] ? 'yes' : 'no'}, run.evidence[name] ? sees : 'not seen: ' + dark))),
    run.problems ? el('p', {}, run.problems) : null,
    el('p', {class: 'meta'}, pic.meta.map(([k, v]) => `${k}: ${v}`).join(' \u00b7 ')));

  const section = (run, i) => {
    const pic = pics.pictures[i], worst = misses(run, pic);
    const jump = worst ? worst.jump : () => {};
    const used = [...new Set(pic.strip.map(s => s[1]))].filter(isLate);
    const colours = new Map(used.map(v => [pics.rules[v - 1].title, ruleColour(pics.rules[v - 1].name)]));
    return el('section', {}, el('h2', {}, run.name),
      ...run.sources.filter(s => s.cycles).map(s => el('p', {class: 'meta'}, `${s.name}: ${count(s.cycles)} cycles` +
        (s.period_ns ? ` every ${ns(s.period_ns)}` : '') + `; in time they take ${ns(s.nominal_ns)}, the longest took ${ns(s.longest_ns)}`)),
      run.cycles ? el('h3', {}, 'Every cycle', el('small', {}, 'height: how much of its time it used; click a late one')) : null,
      run.cycles ? strip(run, pic, jump) : null,
      el('ul', {class: 'legend'}, run.cycles ? el('li', {}, swatch('var(--ontime)'), 'in time') : null,
        ...[...colours].map(([title, colour]) => el('li', {}, swatch(colour), title))),
      causes(run, pic, jump), worst ? worst.node : null, callSites(run), memory(run, pic), hazards(run), evidence(run, pic));
  };

  document.getElementById('headline').textContent = report.headline;
  document.getElementById('scoreboard').append(...report.runs.map(score));
  const toMend = (report.setup || []).filter(f => f.state === 'mend');
  if (toMend.length)
    document.getElementById('runs').append(el('section', {}, el('h2', {}, 'The set-up of the machine, to be mended first'),
      el('ul', {class: 'story'}, ...toMend.map(f => el('li', {}, el('b', {}, f.fact), el('div', {}, el('code', {}, f.do)))))));
  document.getElementById('runs').append(...report.runs.map(section));
  const redraw = () => redraws.forEach(r => r());
  redraw();
  addEventListener('resize', redraw);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
})();
