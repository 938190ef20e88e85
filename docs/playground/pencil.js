// Drawing points on a picture, with the mouse, a pen, a finger or the keyboard.

const REACH = 1.485; // half the side of what is shown, as in session.py
const EDGE = 1.1; // points are put on the square [-1.1, 1.1]²
export const SPACE = { corners: [-REACH, -REACH, REACH, REACH], real: [] }; // what is shown before there is a session
const inside = (c) => Math.min(EDGE, Math.max(-EDGE, c));

// Three points near a place.
export function spray([u, v]) {
  const near = (c) => inside(c + 0.04 * (Math.random() + Math.random() + Math.random() - 1.5));
  return [0, 1, 2].map(() => [near(u), near(v)]);
}

// `able()` says whether points can be drawn; `put(place)`, `done(place)` and `moved(cursor)` are told of what happens.
export function drawable(plane, { able, put, done, moved }) {
  let pressed = false, last = null, cursor = null;
  const where = (event) => {
    const box = plane.getBoundingClientRect();
    return [(2 * (event.clientX - box.left) / box.width - 1) * REACH, (1 - 2 * (event.clientY - box.top) / box.height) * REACH];
  };
  const stop = () => { if (pressed) { pressed = false; done(null); } };
  plane.addEventListener("pointerdown", (event) => {
    if (!able()) return;
    plane.setPointerCapture(event.pointerId);
    pressed = true;
    last = where(event);
    put(last);
  });
  plane.addEventListener("pointermove", (event) => {
    if (!pressed) return;
    const now = where(event);
    if (Math.hypot(now[0] - last[0], now[1] - last[1]) < 0.05) return;
    last = now;
    put(now);
  });
  plane.addEventListener("pointerup", stop);
  plane.addEventListener("pointercancel", stop);
  plane.addEventListener("keydown", (event) => {
    if (!able()) return;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (move) {
      const by = (c, m) => Math.round(100 * inside(c + 0.1 * m)) / 100;
      cursor = cursor || [0, 0];
      cursor = [by(cursor[0], move[0]), by(cursor[1], move[1])];
      moved(cursor);
    } else if (event.key === " " || event.key === "Enter") {
      cursor = cursor || [0, 0];
      put(cursor);
      done(cursor);
    } else return;
    event.preventDefault();
  });
  plane.addEventListener("blur", () => { cursor = null; moved(null); });
}
