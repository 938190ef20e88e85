// A script of the old kind, which runs even where modules do not: it says why the page cannot work.
(function () {
  var why = "";
  if (location.protocol === "file:") {
    why = "This page cannot run from a file, since browsers let no file start Python. Serve the folder instead: " +
      "python -m http.server in it, then open http://localhost:8000/playground/.";
  } else if (typeof WebAssembly !== "object") {
    why = "This browser has no WebAssembly, which Python needs here. Any current browser has it, unless it is turned off.";
  } else if (typeof Worker !== "function" || !("noModule" in document.createElement("script"))) {
    why = "This browser is too old for this page: it has no module workers.";
  }
  window.cannotRun = why;
  if (why) document.getElementById("status").textContent = why;
})();
