import { AppError, asAppError } from '../base/errors';
import { benchCommand } from './bench';
import { convertCommand } from './convert';
import { detectCommand } from './detect';

const commands: Record<string, (args: string[]) => Promise<void>> = {
  detect: detectCommand,
  convert: convertCommand,
  bench: benchCommand,
};

const usage = `Usage: npm run -s cli -- COMMAND ...

  detect --weights W --input FILE [--steps T] [--conf 0.25] [--iou 0.45] [--size PX] [--mode snn|ann]
         [--backend event|wasm|reference] [--json] [--raw OUT.safetensors] [--draw OUT.png]
      W is a .pt, a .safetensors, or the name of a shipped model; FILE is a picture.
  convert IN OUT [--mode snn|ann] [--half]
      Between .pt and .safetensors; --half stores 16-bit floats.
  bench [--weights W] [--size PX] [--steps T] [--threads 1] [--against tfjs] [--json]
      Times this engine and others, interleaved, after comparing what they compute.
`;

/** @returns the exit code: 0 done, 2 wrong usage, 1 a failure that is named on standard error */
export async function main(args: string[]): Promise<number> {
  const [name = '', ...rest] = args;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const asked = name === 'help' || name === '--help';
    (asked ? process.stdout : process.stderr).write(usage);
    return asked ? 0 : 2;
  }
  try {
    await command(rest);
    return 0;
  } catch (thrown) {
    const error = isArgumentError(thrown) ? usageError(thrown.message) : asAppError(thrown);
    process.stderr.write(`${error.message} [${error.code}]\n${error.remedy}\n`);
    if (error.code === 'usage') process.stderr.write(`\n${usage}`);
    return error.code === 'usage' ? 2 : 1;
  }
}

function isArgumentError(thrown: unknown): thrown is Error {
  return thrown instanceof TypeError && 'code' in thrown && String(thrown.code).startsWith('ERR_PARSE_ARGS');
}

function usageError(message: string): AppError {
  return new AppError('usage', message, 'See the usage below.');
}
