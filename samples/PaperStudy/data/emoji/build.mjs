// Builds the emoji set of the study from npm packages: npm install, then node build.mjs --out built.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const stamp = 'built-by.txt';
const drawn = 256;   // pixels that a drawing is rendered at
const inner = 60;    // pixels that it is reduced to, over white
const margin = 2;    // white pixels around it: 64 x 64 in all

const glyphFrame = 0.965;   // a glyph's square over its advance width, as measured on the set that results were taken from

// Art in images.tsv -> icon package.
const iconSets = {
  'twemoji': 'twemoji', 'noto': 'noto', 'noto1': 'noto-v1', 'emojione1': 'emojione-v1',
  'fluent-flat': 'fluent-emoji-flat', 'fluent-contrast': 'fluent-emoji-high-contrast', 'fxemoji': 'fxemoji',
};

function fail(message) {
  console.error(message);
  process.exit(1);
}

async function load(name) {
  try {
    return await import(name);
  } catch {
    fail(`The package '${name}' is not installed. Run 'npm install' in ${here} first.`);
  }
}

const sharp = (await load('sharp')).default;
const fontkit = await load('fontkit');

function installed(...parts) {
  const file = path.join(here, 'node_modules', ...parts);
  if (!fs.existsSync(file)) fail(`${file} is missing. Run 'npm install' in ${here}; package.json names the versions that this script knows.`);
  return file;
}

const readIcons = {};
function icon(art, name) {
  const set = iconSets[art];
  const icons = readIcons[set] ??= JSON.parse(fs.readFileSync(installed('@iconify-json', set, 'icons.json'), 'utf8'));
  const found = icons.icons[name] ?? icons.icons[icons.aliases?.[name]?.parent];
  if (!found) fail(`The icon '${name}' is not in the installed @iconify-json/${set}. Install the version that package.json names.`);
  const [width, height] = [found.width ?? icons.width ?? 16, found.height ?? icons.height ?? 16];
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" `
    + `viewBox="${found.left ?? 0} ${found.top ?? 0} ${width} ${height}">${found.body}</svg>`;
}

function openmoji(style, code) {
  return fs.readFileSync(installed('openmoji', style, 'svg', `${code}.svg`), 'utf8');
}

let fonts;
function glyph(code) {
  // The font comes in parts by ranges of code points.
  fonts ??= fs.readdirSync(installed('@fontsource', 'noto-emoji', 'files')).filter(f => /noto-emoji-.*-400-normal\.woff2$/.test(f))
    .map(f => fontkit.openSync(installed('@fontsource', 'noto-emoji', 'files', f)));
  const text = String.fromCodePoint(...code.split('-').map(c => parseInt(c, 16)));
  for (const font of fonts) {
    if (!font.hasGlyphForCodePoint(text.codePointAt(0))) continue;
    const run = font.layout(text);
    if (run.glyphs.length !== 1 || run.glyphs[0].id === 0) continue;
    // The font's y axis points upwards.
    const { path: outline, advanceWidth } = run.glyphs[0];
    const side = advanceWidth * glyphFrame;
    const [left, top] = [(advanceWidth - side) / 2, -((font.ascent + font.descent + side) / 2)];
    return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${left} ${top} ${side} ${side}"><g transform="scale(1 -1)"><path d="${outline.toSVG()}"/></g></svg>`;
  }
  fail(`No part of the installed @fontsource/noto-emoji has one glyph for ${code}. Install the version that package.json names.`);
}

function svg(art, source) {
  if (art === 'openmoji-color') return openmoji('color', source);
  if (art === 'openmoji-black') return openmoji('black', source);
  if (art === 'noto-mono') return glyph(source);
  if (iconSets[art]) return icon(art, source);
  return fail(`images.tsv names the art '${art}', which this script does not know.`);
}

/** 64 x 64 pixels, RGB PNG. */
async function render(art, source) {
  const sized = svg(art, source).replace(/<svg\b[^>]*>/, root =>
    root.replace(/\s(width|height)="[^"]*"/g, '').replace('<svg', `<svg width="${drawn}" height="${drawn}"`));
  const small = await sharp(Buffer.from(sized)).flatten({ background: 'white' }).removeAlpha()
    .resize(inner, inner, { fit: 'contain', background: 'white', kernel: 'lanczos3' }).png().toBuffer();
  return sharp(small).extend({ top: margin, bottom: margin, left: margin, right: margin, background: 'white' }).removeAlpha().png().toBuffer();
}

function outputFolder() {
  const at = process.argv.indexOf('--out');
  if (process.argv.length !== 4 || at !== 2) fail('Usage: node build.mjs --out FOLDER');
  const folder = path.resolve(process.argv[3]);
  if (fs.existsSync(folder) && fs.readdirSync(folder).length > 0 && !fs.existsSync(path.join(folder, stamp)))
    fail(`'${folder}' holds something that this script did not write. Give an empty folder, or a new one.`);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, stamp), 'Built by build.mjs; incomplete until images.tsv lies beside this file.\n');
  return folder;
}

const rows = fs.readFileSync(path.join(here, 'images.tsv'), 'utf8').trimEnd().split('\n').slice(1).map(line => line.split('\t'));
const out = outputFolder();
const counts = {};
let done = 0;
for (const [file, art, source] of rows) {
  const target = path.join(out, file);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.writeFileSync(target, await render(art, source));
  const set = file.startsWith('test/') ? file.split('/').slice(0, 2).join('/') : file.split('/')[0];
  counts[set] = (counts[set] ?? 0) + 1;
  if (++done % 500 === 0 || done === rows.length) console.log(`${done} of ${rows.length} images`);
}
fs.copyFileSync(path.join(here, 'captions.tsv'), path.join(out, 'captions', 'captions.tsv'));
fs.copyFileSync(path.join(here, 'classes.tsv'), path.join(out, 'classes.tsv'));
fs.copyFileSync(path.join(here, 'images.tsv'), path.join(out, 'images.tsv'));
for (const [set, count] of Object.entries(counts).sort()) console.log(`${String(count).padStart(6)}  ${set}`);
