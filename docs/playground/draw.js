// What is drawn: samples over the target with the level lines of f, and charts of a few lines each.

export const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]];

export function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue("--" + name).trim();
  return {
    ink: get("ink"), faint: get("faint"), back: get("plot"), real: get("real"), fake: get("fake"), level: get("level"),
    layers: [1, 2, 3, 4].map((l) => get("layer" + l)),
  };
}

// The canvas in CSS pixels, sharp on any screen.
function prepared(canvas, c) {
  const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const x = canvas.getContext("2d");
  x.setTransform(ratio, 0, 0, ratio, 0, 0);
  x.setLineDash([]);
  x.globalAlpha = 1;
  x.fillStyle = c.back;
  x.fillRect(0, 0, width, height);
  return { x, width, height };
}

// Level lines by marching squares. f is given row by row from below; the line crosses an edge by linear interpolation.
function levelLine(x, f, n, level, px, py) {
  x.beginPath();
  for (let j = 0; j + 1 < n; j++) {
    for (let i = 0; i + 1 < n; i++) {
      const a = f[j * n + i] - level, b = f[j * n + i + 1] - level;
      const d = f[(j + 1) * n + i] - level, e = f[(j + 1) * n + i + 1] - level;
      const cut = [];
      if (a > 0 !== b > 0) cut.push([i + a / (a - b), j]);
      if (b > 0 !== e > 0) cut.push([i + 1, j + b / (b - e)]);
      if (d > 0 !== e > 0) cut.push([i + d / (d - e), j + 1]);
      if (a > 0 !== d > 0) cut.push([i, j + a / (a - d)]);
      for (let k = 0; k + 1 < cut.length; k += 2) {
        x.moveTo(px(cut[k][0]), py(cut[k][1]));
        x.lineTo(px(cut[k + 1][0]), py(cut[k + 1][1]));
      }
    }
  }
  x.stroke();
}

// The higher f, the fuller the colour; the browser interpolates between the points of the lattice.
function shade(x, f, n, least, most, width, height, colour) {
  const small = document.createElement("canvas"), y = small.getContext("2d"), image = y.createImageData(n, n);
  const rgb = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16)); // the style sheet has #rrggbb
  f.forEach((value, i) => {
    const row = n - 1 - Math.floor(i / n);
    image.data.set([...rgb, Math.round((110 * (value - least)) / (most - least))], 4 * (row * n + (i % n)));
  });
  small.width = small.height = n;
  y.putImageData(image, 0, 0);
  const w = width / (n - 1), h = height / (n - 1); // a point of the lattice is the middle of a pixel
  x.drawImage(small, -w / 2, -h / 2, width + w, height + h);
}

function dots(x, points, toX, toY, size) {
  for (let i = 0; i < points.length; i += 2) {
    x.fillRect(toX(points[i]) - size / 2, toY(points[i + 1]) - size / 2, size, size);
  }
}

export function drawPlane(canvas, scene, frame, extra = {}) {
  const c = colours(), { x, width, height } = prepared(canvas, c);
  const [x0, y0, x1, y1] = scene.corners;
  const toX = (u) => ((u - x0) / (x1 - x0)) * width, toY = (v) => height - ((v - y0) / (y1 - y0)) * height;
  if (frame) {
    const f = frame.f, n = Math.round(Math.sqrt(f.length));
    let least = Infinity, most = -Infinity;
    for (const value of f) { least = Math.min(least, value); most = Math.max(most, value); }
    if (most > least) {
      shade(x, f, n, least, most, width, height, c.level);
      const px = (i) => (i / (n - 1)) * width, py = (j) => height - (j / (n - 1)) * height;
      x.strokeStyle = c.level;
      for (let k = 1; k <= 12; k++) {
        x.lineWidth = 0.4 + k / 12; // the higher f, the thicker its line
        levelLine(x, f, n, least + ((most - least) * k) / 13, px, py);
      }
    }
  }
  x.fillStyle = c.real;
  dots(x, scene.real, toX, toY, 4);
  if (frame) {
    x.fillStyle = c.fake;
    dots(x, frame.x, toX, toY, 2.5);
  }
  if (extra.cursor) {
    const [u, v] = extra.cursor;
    x.strokeStyle = c.ink;
    x.lineWidth = 1.5;
    x.beginPath();
    x.arc(toX(u), toY(v), 9, 0, 2 * Math.PI);
    x.stroke();
  }
  if (extra.hint) {
    x.fillStyle = c.ink;
    x.font = "15px system-ui, sans-serif";
    x.textAlign = "center";
    x.fillText(extra.hint, width / 2, height / 2);
  }
}

const short = (value) => {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1000 || size < 0.01 ? value.toExponential(0).replace("e+", "e") : String(Number(value.toPrecision(2)));
};

function ticksOf(low, high, log) {
  if (log) {
    const all = [];
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) all.push(10 ** e);
    const inside = all.filter((t) => t >= low * 0.999 && t <= high * 1.001);
    if (inside.length >= 2) return inside.filter((_, i) => i % Math.ceil(inside.length / 5) === 0);
    return [low, Math.sqrt(low * high), high];
  }
  const raw = (high - low) / 4, size = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= raw);
  const ticks = [];
  for (let t = Math.ceil(low / step - 1e-9) * step; t <= high + 1e-9 * step; t += step) {
    ticks.push(Math.abs(t) < 1e-9 * step ? 0 : t);
  }
  return ticks;
}

// Lines [{x, y, colour, dash}] and level lines {value, text} over common axes. `range` is [low, high] of y.
export function drawChart(canvas, lines, { range, log = false, last = 1, first = 0, marks = [], percent = false }) {
  const c = colours(), { x, width, height } = prepared(canvas, c);
  const left = 40, right = 8, top = 8, bottom = 20;
  const [low, high] = range, map = log ? Math.log : (v) => v;
  const toX = (u) => left + ((u - first) / (last - first || 1)) * (width - left - right);
  const toY = (v) => height - bottom - ((map(v) - map(low)) / (map(high) - map(low))) * (height - top - bottom);
  x.font = "11px system-ui, sans-serif";
  x.lineWidth = 1;
  x.textBaseline = "middle";
  for (const tick of ticksOf(low, high, log)) {
    x.strokeStyle = c.faint;
    x.beginPath();
    x.moveTo(left, toY(tick));
    x.lineTo(width - right, toY(tick));
    x.stroke();
    x.fillStyle = c.ink;
    x.textAlign = "right";
    x.fillText(percent ? Math.round(100 * tick) + " %" : short(tick), left - 5, toY(tick));
  }
  x.textAlign = "left";
  x.fillText(String(first), left, height - 8);
  x.textAlign = "right";
  x.fillText(String(last), width - right, height - 8);
  x.save();
  x.beginPath();
  x.rect(left, top - 3, width - left - right + 3, height - top - bottom + 6);
  x.clip();
  for (const mark of marks) {
    x.strokeStyle = c.ink;
    x.setLineDash([3, 4]);
    x.beginPath();
    x.moveTo(left, toY(mark.value));
    x.lineTo(width - right, toY(mark.value));
    x.stroke();
    x.fillStyle = c.ink;
    x.fillText(mark.text, width - right - 2, toY(mark.value) + (mark.below ? 9 : -8));
  }
  x.lineWidth = 1.6;
  x.lineJoin = "round";
  for (const line of lines) {
    x.strokeStyle = line.colour;
    x.setLineDash(line.dash || []);
    x.beginPath();
    line.y.forEach((v, i) => {
      const there = Math.min(Math.max(v, low), high);
      if (i) x.lineTo(toX(line.x[i]), toY(there));
      else x.moveTo(toX(line.x[i]), toY(there));
    });
    x.stroke();
    if (line.y.length === 1) x.fillRect(toX(line.x[0]) - 2, toY(line.y[0]) - 2, 4, 4);
  }
  x.restore();
}
