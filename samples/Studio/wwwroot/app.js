// The page: no framework, and no markup from data. What a file or a class is called only ever becomes text.

const filesPerUpload = 16, uploadBytes = 48 * 1024 * 1024, typingPause = 250, mostBars = 4, marks = 7;
const at = id => document.getElementById(id);

let images = [];            // { id, name, item, bars }
let classNames = [];
let classes = new Map();    // image id -> index of the most probable class
let points = [];
let model;

/** Calls the API; a problem's detail becomes the error's message. */
async function call(address, options = {}) {
  const response = await fetch(address, options);
  if (response.ok) return response.status === 204 || response.headers.get('content-length') === '0' ? null : response.json();
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? problem.title ?? `The server answered ${response.status}.`);
}

const json = body => ({ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function say(text) { at('status').textContent = text; }

function complain(text, items = []) {
  at('problem').replaceChildren(text, ...(items.length ? [element('ul', {}, ...items.map(item => element('li', {}, item)))] : []));
}

/** Runs the newest call of its kind: a pause for typing, and answers that come too late are dropped. */
function newest(work) {
  let timer, controller;
  return (pause = 0) => {
    clearTimeout(timer);
    controller?.abort();
    controller = new AbortController();
    const { signal } = controller;
    timer = setTimeout(async () => {
      try {
        await work(signal);
      } catch (error) {
        if (!signal.aborted) complain(error.message);
      }
    }, pause);
  };
}

// Images

async function upload(files) {
  const found = [...files].filter(file => file.type.startsWith('image/') || file.type === '');
  if (found.length === 0) return complain('There are no images among these files.');
  complain('');
  const chosen = found.filter(file => file.size <= model.maxFileBytes);
  const refused = found.filter(file => file.size > model.maxFileBytes)
    .map(({ name }) => ({ name, reason: `The file is larger than ${model.maxFileBytes / 2 ** 20} MB.` }));
  try {
    for (let first = 0; first < chosen.length;) {
      const form = new FormData();
      let bytes = 0, last = first;
      do {
        form.append('files', chosen[last]);
        bytes += chosen[last++].size;
      } while (last < chosen.length && last - first < filesPerUpload && bytes + chosen[last].size < uploadBytes);
      say(`Encoding images ${first + 1} to ${last} of ${chosen.length} …`);
      refused.push(...show(await call('api/images', { method: 'POST', body: form })));
      first = last;
    }
  } catch (error) {
    complain(error.message);
  }
  finish(refused);
}

function show({ added, refused }) {
  for (const image of added) addCard(image);
  return refused;
}

function finish(refused) {
  say(`${images.length} ${images.length === 1 ? 'image' : 'images'}.`);
  if (refused.length) complain(`${refused.length} not added:`, refused.slice(0, 10).map(file => `${file.name}: ${file.reason}`));
  at('empty').hidden = images.length > 0;
  classify();
  search();
  map();
}

function addCard({ id, name }) {
  const bars = element('dl', { className: 'bars' });
  const picture = element('img', { src: `api/images/${id}/thumbnail`, alt: '', width: 88, height: 88, loading: 'lazy' });
  const item = element('li', {}, picture, element('div', {}, element('p', { className: 'name', textContent: name }), bars));
  images.push({ id, name, item, bars });
  at('gallery').append(item);
}

async function load(address, options) {
  try {
    complain('');
    say('Encoding images …');
    finish(show(await call(address, options)));
  } catch (error) {
    say('');
    complain(error.message);
  }
}

async function clear() {
  try {
    await call('api/images', { method: 'DELETE' });
    images = [];
    at('gallery').replaceChildren();
    complain('');
    finish([]);
  } catch (error) {
    complain(error.message);
  }
}

/** The files of a drop, also those in its folders. */
async function dropped(transfer) {
  const files = [];
  async function walk(entry) {
    if (entry.isFile) files.push(await new Promise((done, failed) => entry.file(done, failed)));
    else {
      const reader = entry.createReader();
      for (;;) {   // a reader gives some entries at a time, and none at its end
        const entries = await new Promise((done, failed) => reader.readEntries(done, failed));
        if (entries.length === 0) return;
        for (const inner of entries) await walk(inner);
      }
    }
  }
  const entries = [...transfer.items].map(item => item.webkitGetAsEntry()).filter(entry => entry);   // before the first wait
  for (const entry of entries) await walk(entry);
  return files;
}

// Classes

const percent = value => `${(100 * value).toFixed(value < 0.1 ? 1 : 0)} %`;
const isAuto = () => at('auto').getAttribute('aria-pressed') === 'true';

function describe(weight) {
  const share = Math.round(100 * weight);
  return share === 0 ? 'caption' : share === 100 ? 'classification' : `${100 - share} % caption, ${share} % classification`;
}

function showPrefix(weight, chosen) {
  at('weight').setAttribute('aria-valuetext', describe(weight));
  at('chosen').textContent = chosen ? `chosen from the images: ${describe(weight)}` : describe(weight);
}

const classify = newest(async signal => {
  classNames = at('classes').value.split('\n').map(line => line.trim()).filter(line => line);
  if (classNames.length < 2 || images.length === 0) {
    classes = new Map();
    for (const image of images) image.bars.replaceChildren();
    return drawMap();
  }
  const auto = isAuto();
  const request = { classNames, classificationWeight: auto ? null : model.canBlend ? Number(at('weight').value) : 0 };
  const result = await call('api/classify', { ...json(request), signal });
  complain('');
  if (auto) {
    at('weight').value = result.classificationWeight;
    showPrefix(result.classificationWeight, true);
  }
  const byId = new Map(images.map(image => [image.id, image]));
  classes = new Map();
  for (const { id, probabilities } of result.images) {
    const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
    classes.set(id, order[0]);
    if (byId.has(id)) drawBars(byId.get(id).bars, order.slice(0, mostBars), probabilities);
  }
  drawMap();
});

function drawBars(bars, order, probabilities) {
  bars.replaceChildren(...order.flatMap(index => {
    const fill = element('span');
    fill.style.width = `${100 * probabilities[index]}%`;
    const bar = element('dd', { className: 'bar' }, fill);
    bar.setAttribute('aria-hidden', 'true');
    return [element('dt', {}, classNames[index]), element('dd', {}, percent(probabilities[index])), bar];
  }));
}

// Search

const search = newest(async signal => {
  const text = at('text').value.trim();
  const byId = new Map(images.map(image => [image.id, image]));
  let order = images;
  for (const image of images) image.item.querySelector('.name').textContent = image.name;
  if (text && images.length) {
    const found = await call(`api/search?text=${encodeURIComponent(text)}`, { signal });
    order = found.filter(({ id }) => byId.has(id)).map(({ id, score }) => {
      byId.get(id).item.querySelector('.name').textContent = `${byId.get(id).name} · similarity ${score.toFixed(2)}`;
      return byId.get(id);
    });
    if (order.length) say(`Nearest to “${text}”: ${order[0].name}.`);
  }
  at('gallery').append(...order.map(image => image.item));
});

// Map

const svgElement = name => document.createElementNS('http://www.w3.org/2000/svg', name);

/** A mark around a point: classes differ by shape and by color. */
function mark(kind, x, y) {
  const corners = [12, 4, 3, 4, 3, 5, 6][kind], turn = [0, Math.PI / 4, -Math.PI / 2, 0, Math.PI / 2, -Math.PI / 2, 0][kind];
  const shape = svgElement('polygon');
  shape.setAttribute('class', `mark${kind}`);
  shape.setAttribute('points', Array.from({ length: corners }, (_, i) => {
    const angle = turn + (2 * Math.PI * i) / corners;
    return `${(x + 6 * Math.cos(angle)).toFixed(1)},${(y + 6 * Math.sin(angle)).toFixed(1)}`;
  }).join(' '));
  return shape;
}

const map = newest(async signal => {
  points = images.length < 3 ? [] : await call('api/map', { signal });
  drawMap();
});

function drawMap() {
  const names = new Map(images.map(image => [image.id, image.name]));
  const shown = points.filter(point => names.has(point.id));
  at('map').hidden = shown.length === 0;
  at('map-hint').hidden = shown.length > 0;
  if (shown.length === 0) return;
  const xs = shown.map(point => point.x), ys = shown.map(point => point.y);
  const [left, low] = [Math.min(...xs), Math.min(...ys)];
  const scale = Math.min(380 / Math.max(Math.max(...xs) - left, 1e-9), 280 / Math.max(Math.max(...ys) - low, 1e-9));
  const [marginX, marginY] = [(400 - scale * (Math.max(...xs) - left)) / 2, (300 - scale * (Math.max(...ys) - low)) / 2];

  // The most frequent classes have a mark of their own.
  const counts = new Map();
  for (const point of shown) if (classes.has(point.id)) counts.set(classes.get(point.id), (counts.get(classes.get(point.id)) ?? 0) + 1);
  const frequent = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, marks - 1);
  const kindOf = id => frequent.includes(classes.get(id)) ? frequent.indexOf(classes.get(id)) : marks - 1;

  at('plot').replaceChildren(...shown.map(point => {
    const shape = mark(kindOf(point.id), marginX + scale * (point.x - left), 300 - marginY - scale * (point.y - low));
    const title = svgElement('title');
    title.textContent = names.get(point.id);
    shape.append(title);
    return shape;
  }));
  const entries = frequent.map((index, kind) => [kind, `${classNames[index]} (${counts.get(index)})`]);
  if (shown.some(point => kindOf(point.id) === marks - 1)) entries.push([marks - 1, frequent.length ? 'other classes' : 'images']);
  at('legend').replaceChildren(...entries.map(([kind, text]) => {
    const key = svgElement('svg');
    key.setAttribute('viewBox', '0 0 14 14');
    key.setAttribute('aria-hidden', 'true');
    key.append(mark(kind, 7, 7));
    return element('li', {}, key, text);
  }));
  at('positions').replaceChildren(...shown.map(point => element('tr', {}, ...[names.get(point.id),
    classes.has(point.id) ? classNames[classes.get(point.id)] : '–', point.x.toFixed(2), point.y.toFixed(2)].map(text => element('td', {}, text)))));
}

// Events

for (const id of ['files', 'directory'])
  at(id).addEventListener('change', async event => {
    await upload(event.target.files);
    event.target.value = '';
  });
const drop = at('drop');
for (const type of ['dragenter', 'dragover'])
  drop.addEventListener(type, event => { event.preventDefault(); drop.classList.add('over'); });
drop.addEventListener('dragleave', () => drop.classList.remove('over'));
drop.addEventListener('drop', async event => {
  event.preventDefault();
  drop.classList.remove('over');
  await upload(await dropped(event.dataTransfer));
});
at('folder').addEventListener('click', () => load('api/folder', { method: 'POST' }));
at('clear').addEventListener('click', clear);
at('classes').addEventListener('input', () => classify(typingPause));
at('weight').addEventListener('input', () => {
  at('auto').setAttribute('aria-pressed', 'false');
  showPrefix(Number(at('weight').value), false);
  classify(typingPause / 5);
});
at('auto').addEventListener('click', () => {
  at('auto').setAttribute('aria-pressed', String(!isAuto()));
  showPrefix(Number(at('weight').value), false);
  classify();
});
at('text').addEventListener('input', () => search(typingPause));

try {
  model = await call('api/model');
  at('model').textContent = `${model.name} · images of ${model.imageSize} × ${model.imageSize} pixels · embeddings of ${model.embeddingSize} ` +
    `numbers · ${model.prefixes.length ? `prefixes: ${model.prefixes.join(', ')}` : 'no prefixes'}`;
  at('prefix').hidden = !model.canBlend;
  at('folder').hidden = !model.hasFolder;
  showPrefix(0, false);
  finish(show({ added: await call('api/images'), refused: [] }));
} catch (error) {
  complain(error.message);
}
