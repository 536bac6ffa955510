// Runs a Python script in Pyodide: node pyodide_run.mjs PYODIDE WHEELS SCRIPT FOLDER
//
// PYODIDE is the folder of the npm package, WHEELS one with the wheels to install, FOLDER the script's argument.
// What the script prints goes to stdout.  Not the page's worker: files are the machine's own here.

import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const [pyodide, wheels, script, folder] = process.argv.slice(2);

try {
  const { loadPyodide } = await import(pathToFileURL(join(pyodide, "pyodide.mjs")));
  const python = await loadPyodide();
  for (const name of readdirSync(wheels)) {
    python.unpackArchive(new Uint8Array(readFileSync(join(wheels, name))), "wheel");
  }
  python.mountNodeFS("/script", dirname(script));
  python.mountNodeFS("/files", folder);
  python.globals.set("words", python.toPy([`/script/${basename(script)}`, "/files"]));
  python.runPython("import runpy, sys\nsys.argv = list(words)\nrunpy.run_path(sys.argv[0], run_name='__main__')");
} catch (error) {
  // Uncaught, Node.js would print the line of the module that it came from: a megabyte.
  console.error(error.message);
  process.exitCode = 1;
}
