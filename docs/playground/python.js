// Python with NumPy, the package and the session module. Each worker that imports this waits for it.
import { loadPyodide } from "./pyodide/pyodide.mjs";

const at = (name) => new URL(name, import.meta.url).href;

async function fetched(name) {
  const answer = await fetch(at(name));
  if (!answer.ok) throw new Error(`${name} is missing on this server (${answer.status})`);
  return answer;
}

export async function loadSession(say) {
  say("Python is being loaded …");
  const python = await loadPyodide({ indexURL: at("./pyodide/") });
  say("NumPy is being loaded …");
  await python.loadPackage("numpy", { messageCallback: () => {} });
  say("The package is being loaded …");
  python.unpackArchive(await (await fetched("specnorm_np.zip")).arrayBuffer(), "zip");
  python.FS.writeFile("session.py", await (await fetched("session.py")).text());
  return python.pyimport("session");
}
