'use strict';
(function () {
  const head = JSON.parse(document.getElementById('head').textContent);
  const $ = (id) => document.getElementById(id);
  // Text of models is only ever a text node: nothing of it is parsed as markup.
  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    for (const child of children) {
      if (child !== null && child !== undefined) {
        node.append(child instanceof Node ? child : document.createTextNode(String(child)));
      }
    }
    return node;
  }
  const percent = (x) => (x === null || x === undefined ? '–' : (100 * x).toFixed(1));
  function bar(value, ci, lines) {
    const box = make('div', { class: 'bar', role: 'img',
      'aria-label': percent(value) + ' %, interval ' + percent(ci[0]) + ' to ' + percent(ci[1]) });
    const range = make('i'); range.style.left = 100 * ci[0] + '%'; range.style.width = 100 * (ci[1] - ci[0]) + '%';
    box.append(range);
    if (value !== null) { const at = make('b'); at.style.left = 100 * value + '%'; box.append(at); }
    for (const line of lines || []) {
      const mark = make('u', { title: line.model + ': ' + percent(line.value) });
      mark.style.left = 100 * line.value + '%'; box.append(mark);
    }
    return box;
  }
  function table(caption, columns, rows) {
    const t = make('table', {}, make('caption', {}, caption));
    t.append(make('thead', {}, make('tr', {}, ...columns.map((c) => make('th', { scope: 'col', class: c.text ? 'text' : '' }, c.name)))));
    const body = make('tbody');
    for (const row of rows) body.append(make('tr', {}, ...row.map((cell, i) => make('td', { class: columns[i].text ? 'text' : '' }, cell))));
    t.append(body);
    return make('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': caption }, t);
  }

  // ---- scores
  const scores = [];
  head.runs.forEach((run) => {
    for (const [task, t] of Object.entries(run.tasks)) {
      const row = (metric, s, full) => [full ? task : '', head.runs.length > 1 ? run.name : run.model, metric, percent(s.value),
        '[' + percent(s.ci[0]) + ', ' + percent(s.ci[1]) + ']', bar(s.value, s.ci, full ? head.published[task] : []),
        full ? percent(t.se_pop) : '', full ? percent(t.se_run) : '', full ? t.n : '', full ? t.k : '', full ? t.unscored : '',
        full ? t.truncated : '', full ? t.no_answer : '', full && t.mean_completion_tokens !== null ? Math.round(t.mean_completion_tokens) : ''];
      scores.push(row(t.metric, t, true));
      for (const [name, m] of Object.entries(t.metrics)) scores.push(row(name, m, false));
    }
  });
  $('scores').append(table('Scores with 95 % intervals; a dashed line is a published reference', [
    { name: 'task', text: true }, { name: 'run', text: true }, { name: 'metric', text: true }, { name: 'score %' }, { name: 'interval' },
    { name: 'picture' }, { name: 'SE pop' }, { name: 'SE run' }, { name: 'n' }, { name: 'k' }, { name: 'unscored' }, { name: 'truncated' },
    { name: 'no answer' }, { name: 'tokens' }], scores));
  head.runs.forEach((run) => run.notes.forEach((note) => $('scores').append(make('p', { class: 'note' }, run.name + ': ' + note))));

  // ---- parts
  head.runs.forEach((run) => {
    for (const [task, t] of Object.entries(run.tasks)) {
      for (const [field, values] of Object.entries(t.breakdown || {})) {
        const rows = Object.entries(values).map(([value, s]) => [value, percent(s.value),
          '[' + percent(s.ci[0]) + ', ' + percent(s.ci[1]) + ']', bar(s.value, s.ci), s.n]);
        $('parts').append(table(task + ' by ' + field + (head.runs.length > 1 ? ' (' + run.name + ')' : ''), [
          { name: field, text: true }, { name: 'score %' }, { name: 'interval' }, { name: 'picture' }, { name: 'n' }], rows));
      }
    }
  });
  if (!$('parts').firstChild) $('parts').hidden = $('parts-title').hidden = true;

  // ---- comparison
  for (const c of head.comparisons) {
    const rows = Object.entries(c.tasks).map(([task, t]) => [task, percent(t.baseline.value), percent(t.candidate.value),
      (100 * t.delta).toFixed(2), '[' + (100 * t.ci[0]).toFixed(2) + ', ' + (100 * t.ci[1]).toFixed(2) + ']', t.p.toPrecision(3),
      t.n_pairs, t.gained, t.lost]);
    $('compare').append(table(c.candidate + ' (candidate) against ' + c.baseline + ' (baseline), about new items', [
      { name: 'task', text: true }, { name: 'baseline %' }, { name: 'candidate %' }, { name: 'difference' }, { name: '95 % interval' },
      { name: 'p' }, { name: 'pairs' }, { name: 'gained' }, { name: 'lost' }], rows));
    for (const [task, t] of Object.entries(c.tasks)) {
      if (!t.flips.length) continue;
      const list = make('ul');
      t.flips.forEach((f) => {
        const open = make('button', { type: 'button' }, task + ' ' + f.item + ': ' + percent(f.baseline) + ' % → ' + percent(f.candidate) + ' %');
        open.addEventListener('click', () => { $('f-text').value = f.item; $('f-task').value = task; filter(); $('view').focus(); });
        list.append(make('li', {}, open));
      });
      $('compare').append(make('details', {}, make('summary', {}, 'Items of ' + task + ' that flipped (' + t.flips.length + ')'), list));
    }
  }
  if (!head.comparisons.length) $('compare').hidden = $('compare-title').hidden = true;

  // ---- accuracy against budget: recorded answers that took more tokens count as wrong
  const ns = 'http://www.w3.org/2000/svg';
  function shape(name, attributes, text) {
    const node = document.createElementNS(ns, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  }
  head.runs.forEach((run) => {
    for (const [task, t] of Object.entries(run.tasks)) {
      const points = t.budget || [];
      if (points.length < 2) continue;
      const name = task + (head.runs.length > 1 ? ' (' + run.name + ')' : ''), w = 520, h = 160, left = 40;
      const svg = shape('svg', { viewBox: '0 0 ' + w + ' ' + (h + 24), role: 'img', style: 'max-width:' + w + 'px;width:100%',
        'aria-label': name + ': score when generation stops at a number of tokens' });
      const x = (i) => left + (w - left - 20) * i / (points.length - 1), y = (v) => 8 + (h - 16) * (1 - v);
      for (const v of [0, 0.5, 1]) {
        svg.append(shape('line', { x1: left, x2: w, y1: y(v), y2: y(v), class: 'grid' }), shape('text', { x: left - 6, y: y(v) + 4, 'text-anchor': 'end' }, 100 * v + ' %'));
      }
      svg.append(shape('polyline', { class: 'curve', points: points.map((p, i) => x(i) + ',' + y(p.value)).join(' ') }));
      points.forEach((p, i) => {
        svg.append(shape('line', { class: 'curve', x1: x(i), x2: x(i), y1: y(p.ci[0]), y2: y(p.ci[1]) }), shape('circle', { cx: x(i), cy: y(p.value), r: 3 }),
          shape('text', { x: x(i), y: h + 16, 'text-anchor': 'middle' }, p.tokens));
      });
      $('budget').append(make('figure', {}, make('figcaption', {}, name + ': score had every answer been stopped after so many tokens'), svg),
        table(name + ' by budget', [{ name: 'tokens' }, { name: 'score %' }, { name: 'interval' }],
          points.map((p) => [p.tokens, percent(p.value), '[' + percent(p.ci[0]) + ', ' + percent(p.ci[1]) + ']'])));
    }
  });
  if (!$('budget').firstChild) $('budget').hidden = $('budget-title').hidden = true;

  // ---- lengths
  for (const h of head.lengths) {
    const most = Math.max(1, ...h.counts), w = 520, bh = 90;
    const svg = document.createElementNS(ns, 'svg');
    svg.setAttribute('viewBox', '0 0 ' + w + ' ' + (bh + 20)); svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', h.name + ': completion tokens, 0 to ' + h.max); svg.style.maxWidth = w + 'px'; svg.style.width = '100%';
    h.counts.forEach((n, i) => {
      const r = document.createElementNS(ns, 'rect'), bw = w / h.counts.length;
      r.setAttribute('x', i * bw + 1); r.setAttribute('width', bw - 2); r.setAttribute('height', bh * n / most); r.setAttribute('y', bh - bh * n / most);
      svg.append(r);
    });
    for (const [x, anchor, text] of [[0, 'start', '0'], [w, 'end', h.max + ' tokens']]) {
      const label = document.createElementNS(ns, 'text');
      label.setAttribute('x', x); label.setAttribute('y', bh + 15); label.setAttribute('text-anchor', anchor); label.textContent = text; svg.append(label);
    }
    $('lengths').append(make('figure', {}, make('figcaption', {}, h.name + ': lengths of answers'), svg));
  }
  if (!head.lengths.length) $('lengths').hidden = $('lengths-title').hidden = true;

  // ---- texts: fenced code coloured, mathematics as MathML. Whatever a model wrote becomes text nodes, or what
  // KaTeX makes of it with commands that load or style anything switched off. Long texts stay as they are.
  const kRich = 200000, kFormulas = 400;
  const kCode = /(#[^\n]*|\/\/[^\n]*)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|\b(and|as|assert|auto|bool|break|case|class|const|continue|def|del|double|elif|else|except|False|float|for|from|if|import|in|include|int|is|lambda|let|long|None|not|or|pass|print|raise|return|self|string|struct|True|try|using|var|vector|void|while|with|yield)\b|\b(\d[\w.]*)\b/g;
  const kMath = /\$\$([^]{1,4000}?)\$\$|\\\[([^]{1,4000}?)\\\]|\\\(([^]{1,2000}?)\\\)|\$(?!\s)([^$\n]{1,500}?)(?<!\s)\$(?!\d)|(\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})/g;
  function code(text) {
    const out = make('pre', { tabindex: '0', class: 'code' });
    let at = 0;
    for (const m of text.matchAll(kCode)) {
      out.append(text.slice(at, m.index), make('span', { class: m[1] ? 'c-note' : m[2] ? 'c-text' : m[3] ? 'c-word' : 'c-number' }, m[0]));
      at = m.index + m[0].length;
    }
    out.append(text.slice(at));
    return out;
  }
  function prose(text) {
    const out = make('div', { class: 'prose', dir: 'auto' });
    let at = 0, n = 0;
    for (const m of text.matchAll(kMath)) {
      if (++n > kFormulas) break;
      const tex = m[1] || m[2] || m[3] || m[4] || m[5], span = make('span');
      try { window.katex.render(tex, span, { output: 'mathml', displayMode: Boolean(m[1] || m[2]), throwOnError: true, trust: false, strict: 'ignore', maxSize: 20, maxExpand: 200 }); }
      catch (e) { span.textContent = m[0]; }
      out.append(text.slice(at, m.index), span);
      at = m.index + m[0].length;
    }
    out.append(text.slice(at));
    return out;
  }
  function rich(text) {
    if ($('f-form').value === 'plain' || text.length > kRich) return make('pre', { tabindex: '0' }, text);
    const box = make('div', { class: 'rich', tabindex: '0', role: 'group', 'aria-label': 'text' });
    text.split(/^```/m).forEach((part, i) => {
      if (i % 2) box.append(code(part.replace(/^[^\n]*\n/, '')));
      else if (part.trim()) box.append(window.katex ? prose(part) : make('div', { class: 'prose', dir: 'auto' }, part));
    });
    return box;
  }

  // ---- transcripts: packed in the page, unpacked when the list is first wanted
  const kRow = 30;
  let all = [], shown = [], selected = -1;
  async function unpack() {
    const packed = $('samples').textContent.trim();
    if (!packed) return [];
    const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    return JSON.parse(await new Response(stream).text());
  }
  const view = $('view'), inner = $('inner');
  function draw() {
    const from = Math.max(0, Math.floor(view.scrollTop / kRow) - 5), to = Math.min(shown.length, from + Math.ceil(view.clientHeight / kRow) + 10);
    inner.replaceChildren();
    for (let i = from; i < to; i++) {
      const s = shown[i];
      const row = make('div', { role: 'option', id: 'row-' + i, 'aria-selected': String(i === selected) },
        make('span', { class: s.verdict }, s.verdict), ' ' + (head.runs.length > 1 ? s.run + ' ' : '') + s.task + ' ' + s.item + ' #' + s.sample + '  ' + s.extracted.slice(0, 80));
      row.style.top = i * kRow + 'px';
      row.addEventListener('click', () => select(i));
      inner.append(row);
    }
    if (selected >= 0) view.setAttribute('aria-activedescendant', 'row-' + selected); else view.removeAttribute('aria-activedescendant');
  }
  function select(i) {
    if (!shown.length) { selected = -1; $('one').replaceChildren(); draw(); return; }
    selected = Math.min(shown.length - 1, Math.max(0, i));
    if (selected * kRow < view.scrollTop) view.scrollTop = selected * kRow;
    if ((selected + 1) * kRow > view.scrollTop + view.clientHeight) view.scrollTop = (selected + 1) * kRow - view.clientHeight;
    draw();
    const s = shown[selected], facts = make('dl');
    for (const [k, v] of [['verdict', s.verdict], ['answer', s.extracted], ['gold', s.gold], ['rule', s.rule], ['evidence', s.evidence],
      ['finish', s.finish], ['tokens', s.tokens], ['prompt hash', s.prompt]]) {
      if (v !== '' && v !== null && v !== undefined) facts.append(make('dt', {}, k), make('dd', {}, v));
    }
    const parts = [make('h3', {}, s.task + ' ' + s.item + ' sample ' + s.sample), facts];
    if (s.question) parts.push(make('details', {}, make('summary', {}, 'Question'), rich(s.question)));
    if (s.thinking) parts.push(make('details', {}, make('summary', {}, 'Thinking (' + s.thinking.length + ' characters)'), rich(s.thinking)));
    parts.push(make('h4', {}, 'Answer'), rich(s.answer || '(empty)'));
    if (s.details) parts.push(make('details', {}, make('summary', {}, 'Details of the verdict'), make('pre', { tabindex: '0' }, s.details)));
    $('one').replaceChildren(...parts);
  }
  function filter() {
    const text = $('f-text').value.toLowerCase(), task = $('f-task').value, verdict = $('f-verdict').value;
    shown = all.filter((s) => (!task || s.task === task) && (!verdict || s.verdict === verdict) &&
      (!text || s.item.toLowerCase().includes(text) || s.answer.toLowerCase().includes(text)));
    inner.style.height = shown.length * kRow + 'px';
    $('count').textContent = shown.length + ' of ' + all.length + ' samples';
    view.scrollTop = 0; selected = -1; $('one').replaceChildren(); draw();
  }
  view.addEventListener('scroll', draw, { passive: true });
  view.addEventListener('keydown', (e) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[e.key];
    if (step) select(selected < 0 ? 0 : selected + step);
    else if (e.key === 'Home') select(0);
    else if (e.key === 'End') select(shown.length - 1);
    else return;
    e.preventDefault();
  });
  for (const task of [...new Set(head.runs.flatMap((r) => Object.keys(r.tasks)))]) $('f-task').append(make('option', { value: task }, task));
  for (const id of ['f-task', 'f-verdict']) $(id).addEventListener('change', filter);
  $('f-text').addEventListener('input', filter);
  $('f-form').addEventListener('change', () => { if (selected >= 0) select(selected); });
  setTimeout(() => unpack().then((samples) => { all = samples; filter(); }).catch((e) => { $('count').textContent = 'The transcripts cannot be unpacked: ' + e; }), 0);
})();
