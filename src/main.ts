#!/usr/bin/env node
/**
 * The process: hands the command line to cli/program.ts and ends with the exit
 * code it gives: 0 done, 1 refused or failed, 2 wrong usage.
 */
import { runProgram } from './cli/program.ts';

process.exitCode = await runProgram(process.argv.slice(2));
