#!/usr/bin/env node
import nodeModule from 'node:module';

// From Node 22 on, compiled code is kept between runs.
nodeModule.enableCompileCache?.();

const { serveAndExit } = await import('../dist/cli/serve-host.js');
await serveAndExit(process.argv.slice(2));
