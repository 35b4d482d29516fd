// Runs a compiled Pulumi program under Pulumi's own mocks, and prints what it registered and exported, as JSON.
//
//   node mocks.js PROGRAM PROJECT STACK SETTINGS FOUNDATION
//
// SETTINGS is the stack's configuration, FOUNDATION what the foundation exported; both JSON texts.
"use strict";

const [program, project, stack, settings, foundation] = process.argv.slice(2);
const pulumi = require("@pulumi/pulumi");

const registered = [];
let made = 0;

// What AWS would answer: enough that what is read from it can be read.
function answer(type, name, inputs) {
  made += 1;
  const state = { arn: `arn:aws:mock:::${name}`, ...inputs };
  if (type === "aws:acm/certificate:Certificate") {
    state.domainValidationOptions = [
      { resourceRecordName: "_a.example.com", resourceRecordType: "CNAME", resourceRecordValue: "_b.acm.aws" },
    ];
  }
  return { id: `${name}-${made}`, state };
}

pulumi.runtime.setMocks(
  {
    newResource(args) {
      if (args.type === "pulumi:pulumi:StackReference") {
        return { id: args.name, state: { ...args.inputs, outputs: JSON.parse(foundation), secretOutputNames: [] } };
      }
      if (args.custom !== false) {
        registered.push({ type: args.type, name: args.name, inputs: args.inputs });
      }
      return answer(args.type, args.name, args.inputs);
    },
    call(args) {
      return { ...args.inputs, ...lookedUp(args.token, args.inputs) };
    },
  },
  project,
  stack,
  false,
);
pulumi.runtime.setAllConfig(JSON.parse(settings));

function lookedUp(token, inputs) {
  switch (token.split("/").pop().split(":").pop()) {
    case "getCallerIdentity":
      return { accountId: "123456789012", arn: "arn:aws:iam::123456789012:user/mock", id: "123456789012" };
    case "getRegion":
      return { id: "eu-west-1", name: "eu-west-1", region: "eu-west-1" };
    case "getAvailabilityZones":
      return { names: ["eu-west-1a", "eu-west-1b", "eu-west-1c"] };
    case "getRandomPassword":
      return { randomPassword: "x".repeat(inputs.passwordLength ?? 32) };
    default:
      return { id: "mock", zoneId: "Z1", arn: "arn:aws:mock:::looked-up" };
  }
}

// Exports that are outputs, as values: all the way down.
function plain(value) {
  return new Promise((resolve) => pulumi.output(value).apply((known) => resolve(known)));
}

let exported = {};
let failure;
process.on("unhandledRejection", (reason) => {
  failure = reason;
});
// Everything is registered when nothing is left to do.
process.once("beforeExit", () => {
  if (failure) {
    console.error(failure);
    process.exitCode = 1;
    return;
  }
  process.stdout.write(JSON.stringify({ registered, exported }));
});

(async () => {
  const outputs = require(program);
  for (const [name, value] of Object.entries(outputs)) {
    exported[name] = (await plain(value)) ?? null; // known only to AWS
  }
})().catch((error) => {
  failure = error;
});
