// Trains in the background. The page sends {do, settings, id}; this sends back what is to be drawn.
import { loadSession } from "./python.js";

const FRAME_MS = 120; // how long to train between two pictures
let module = null, session = null, settings = "", id = 0, running = false, more = false, drawn = true, perTurn = 4;

const post = (message) => self.postMessage(message);
const reasonOf = (error) => String(error.message || error).trim().split("\n").pop().replace(/^\w*Error: /, "");

function sendFrame() {
  drawn = false;
  post({ is: "frame", id, frame: session.frame(), more });
}

function begin() {
  if (session) session.destroy();
  session = null;
  running = false;
  session = module.Session(settings);
  more = true;
  post({ is: "scene", id, scene: session.scene() });
  sendFrame();
}

function turn() {
  if (!running) return;
  const began = performance.now();
  try {
    while (more && performance.now() - began < FRAME_MS / 2) more = session.advance(perTurn);
  } catch (error) {
    running = false;
    post({ is: "error", text: reasonOf(error) });
    return;
  }
  running = more;
  if (drawn || !running) sendFrame();
  if (running) setTimeout(turn, 0);
}

const orders = {
  start: begin,
  change() { if (!session || !session.change(settings)) begin(); },
  run() {
    if (!session || !more) begin();
    if (!running) { running = true; setTimeout(turn, 0); }
  },
  pause() { running = false; sendFrame(); },
  step() { running = false; if (!more) begin(); more = session.advance(1); sendFrame(); },
  drawn() { drawn = true; },
};

self.onmessage = ({ data }) => {
  try {
    ({ settings, id } = data);
    orders[data.do]();
  } catch (error) {
    running = false;
    post({ is: "error", text: reasonOf(error) });
  }
};

try {
  module = await loadSession((text) => post({ is: "loading", text }));
  post({ is: "ready" });
} catch (error) {
  post({ is: "broken", text: reasonOf(error) });
}
