#!/usr/bin/env node
// The program is TypeScript; tsx compiles it as it is loaded, so that a checkout needs no build.
import { register } from 'tsx/esm/api';

register();
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));
