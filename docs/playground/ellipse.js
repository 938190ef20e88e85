// The page of the circle and the ellipse. It needs no Python: a browser test compares it with the package.
(function () {
  const $ = (id) => document.getElementById(id);
  const REACH = 2.4; // half the side of what is shown
  let W, u, rows, seen; // seen: the tangent before the first iteration of the table

  const apply = ([a, b, c, d], [x, y]) => [a * x + b * y, c * x + d * y];
  const transposed = ([a, b, c, d]) => [a, c, b, d];
  const unit = ([x, y]) => { const n = Math.hypot(x, y); return [x / n, y / n]; };

  // Singular values, and the first left singular vector, of a 2 x 2 matrix, in closed form.
  function svd([a, b, c, d]) {
    const E = (a + d) / 2, F = (a - d) / 2, G = (c + b) / 2, H = (c - b) / 2;
    const first = Math.hypot(E, H) + Math.hypot(F, G);
    const turn = (Math.atan2(H, E) + Math.atan2(G, F)) / 2;
    return { first, second: first ? Math.abs(a * d - b * c) / first : 0, u: [Math.cos(turn), Math.sin(turn)] };
  }

  function iterate() {
    const back = apply(transposed(W), u);
    if (!(Math.hypot(...back) > 0)) return say("Wᵀũ is zero, so that there is no direction to go on with.");
    const v = unit(back), there = apply(W, v), hat = Math.hypot(...there);
    u = unit(there);
    rows.push({ v, u, hat, tangent: tangent() });
    const { first } = svd(W);
    say(`Iteration ${rows.length}: σ̂ = ${hat.toPrecision(6)}, σ(W) = ${first.toPrecision(6)}.`);
    show();
  }

  function tangent() {
    const s = svd(W), along = Math.abs(s.u[0] * u[0] + s.u[1] * u[1]), across = Math.abs(s.u[0] * u[1] - s.u[1] * u[0]);
    return across / along;
  }

  const say = (text) => { $("status").textContent = text; };

  function begin(direction, text) {
    u = unit(direction);
    rows = [];
    seen = tangent();
    say(text);
    show();
  }

  function moved(name) {
    rows = [];
    seen = tangent();
    const column = name === "first" ? [W[0], W[2]] : [W[1], W[3]];
    say(`Column ${name === "first" ? 1 : 2} of W is (${column.map((c) => c.toFixed(2)).join(", ")}). ũ is kept, as in training.`);
    show();
  }

  function place(name, x, y) {
    const inside = (c) => Math.round(100 * Math.max(-2.2, Math.min(2.2, c))) / 100, i = name === "first" ? 0 : 1;
    W[i] = inside(x);
    W[i + 2] = inside(y);
    if (W.every((entry) => entry === 0)) W[i] = 0.01; // the zero matrix has no ellipse
    moved(name);
  }

  // ---- what is drawn --------------------------------------------------------------------------------------------------

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const digits = (value, n = 6) => (value !== 0 && Math.abs(value) < 1e-4 ? value.toExponential(1) : value.toFixed(n));

  function show() {
    const s = svd(W), last = rows[rows.length - 1];
    W.forEach((entry, i) => { $("w" + i).textContent = entry.toFixed(2).replace("-", "−"); });
    $("sigma").textContent = s.first.toFixed(6);
    $("sigma2").textContent = s.second.toFixed(6);
    $("hat").textContent = last ? last.hat.toFixed(6) : "no iteration yet";
    $("rate").textContent = ((s.second / s.first) ** 2).toFixed(4);
    $("table").tBodies[0].replaceChildren(...rows.map((row, k) => {
      const line = document.createElement("tr"), before = k ? rows[k - 1].tangent : seen;
      const ratio = row.tangent > 1e-9 && before < 1e9 ? (row.tangent / before).toFixed(4) : "–";
      const cells = [k + 1, row.hat.toFixed(6), digits(Math.max(0, s.first - row.hat)), digits((Math.atan(row.tangent) * 180) / Math.PI, 3) + "°", ratio];
      cells.forEach((cell, j) => {
        const td = document.createElement(j ? "td" : "th");
        if (!j) td.scope = "row";
        td.textContent = cell;
        line.append(td);
      });
      return line;
    }));
    draw(s, last);
    window.ellipse = { W, u, rows, sigma: s.first, sigma2: s.second }; // for tests
  }

  function draw(s, last) {
    const canvas = $("picture"), ratio = window.devicePixelRatio || 1, size = canvas.clientWidth, x = canvas.getContext("2d");
    canvas.width = canvas.height = Math.round(size * ratio);
    x.setTransform(ratio, 0, 0, ratio, 0, 0);
    x.fillStyle = colour("plot");
    x.fillRect(0, 0, size, size);
    const to = ([a, b]) => [((a + REACH) / (2 * REACH)) * size, size - ((b + REACH) / (2 * REACH)) * size];
    const line = (points, stroke, width) => {
      x.strokeStyle = stroke;
      x.lineWidth = width;
      x.beginPath();
      points.forEach((p, i) => (i ? x.lineTo(...to(p)) : x.moveTo(...to(p))));
      x.stroke();
    };
    const arrow = (tip, stroke) => {
      line([[0, 0], tip], stroke, 3);
      const [px, py] = to(tip), [ox, oy] = to([0, 0]), turn = Math.atan2(py - oy, px - ox);
      x.fillStyle = stroke;
      x.beginPath();
      x.moveTo(px, py);
      for (const side of [-0.4, 0.4]) x.lineTo(px - 12 * Math.cos(turn + side), py - 12 * Math.sin(turn + side));
      x.fill();
    };
    line([[-REACH, 0], [REACH, 0]], colour("faint"), 1);
    line([[0, -REACH], [0, REACH]], colour("faint"), 1);
    const circle = Array.from({ length: 181 }, (_, i) => [Math.cos((i * Math.PI) / 90), Math.sin((i * Math.PI) / 90)]);
    line(circle, colour("real"), 1.5);
    line(circle.map((p) => apply(W, p)), colour("layer1"), 2);
    const axis = s.u.map((c) => c * s.first);
    x.setLineDash([6, 4]);
    line([axis.map((c) => -c), axis], colour("layer1"), 1.2);
    x.setLineDash([]);
    line([[0, 0], [W[0], W[2]]], colour("edge"), 1);
    line([[0, 0], [W[1], W[3]]], colour("edge"), 1);
    if (last) {
      arrow(last.v, colour("layer3"));
      arrow(apply(W, last.v), colour("layer2"));
    } else arrow(u, colour("layer2"));
    for (const [name, at] of [["first", [W[0], W[2]]], ["second", [W[1], W[3]]]]) {
      const [px, py] = to(at);
      $(name).style.left = px + "px";
      $(name).style.top = py + "px";
      $(name).setAttribute("aria-label", `Column ${name === "first" ? 1 : 2} of W: ${at.map((c) => c.toFixed(2)).join(", ")}. Arrow keys move it.`);
    }
    canvas.setAttribute("aria-label", `The unit circle and its image, an ellipse with the half axes ${s.first.toFixed(3)} and ${s.second.toFixed(3)}.`);
  }

  // ---- what is done ---------------------------------------------------------------------------------------------------

  for (const name of ["first", "second"]) {
    const handle = $(name);
    let held = false;
    handle.addEventListener("pointerdown", (event) => { held = true; handle.setPointerCapture(event.pointerId); });
    handle.addEventListener("pointerup", () => { held = false; });
    handle.addEventListener("pointercancel", () => { held = false; });
    handle.addEventListener("pointermove", (event) => {
      if (!held) return;
      const box = $("picture").getBoundingClientRect(), scale = (2 * REACH) / box.width;
      place(name, (event.clientX - box.left) * scale - REACH, REACH - (event.clientY - box.top) * scale);
    });
    handle.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
      if (!move) return;
      event.preventDefault();
      const by = event.shiftKey ? 0.01 : 0.1, i = name === "first" ? 0 : 1;
      place(name, W[i] + by * move[0], W[i + 2] + by * move[1]);
    });
  }
  const preset = () => {
    W = $("preset").value.split(" ").map(Number);
    begin([0.3, 1], "Press One iteration, or drag a column of W.");
  };
  $("preset").addEventListener("change", preset);
  $("iterate").addEventListener("click", iterate);
  $("anew").addEventListener("click", () => {
    const angle = 2 * Math.PI * Math.random();
    begin([Math.cos(angle), Math.sin(angle)], "ũ points in a random direction.");
  });
  $("worst").addEventListener("click", () => {
    const s = svd(W);
    begin([-s.u[1], s.u[0]], "ũ is at a right angle to u₁, the direction of the longest axis.");
  });
  new ResizeObserver(() => show()).observe($("stage"));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  preset();
})();
