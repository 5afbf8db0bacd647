#!/usr/bin/env node
import nodeModule from 'node:module';

// From Node 22 on, compiled code is kept between runs.
nodeModule.enableCompileCache?.();

const { main } = await import('../dist/cli/main.js');
await main('etcd-dump-logs');
