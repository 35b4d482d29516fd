// Rendered by `cais infra pulumi` from the Compose file; changes belong there.

import * as pulumi from "@pulumi/pulumi";

// Each environment has a program of its own, and a stack that is named after it.
module.exports = require(`./${pulumi.getStack()}`);
