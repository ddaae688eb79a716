/** Compiles the kernels of the event-driven engine (AssemblyScript) when they are first needed, and keeps the result. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

const projectFolder = resolve(import.meta.dirname, '../..');
const sourceFile = 'src/tensor/event/kernels/index.ts';
const cacheFolder = join(projectFolder, 'node_modules', '.cache', 'ems-yolo');
const flags = ['-O3', '--enable', 'simd', '--runtime', 'stub', '--noAssert', '--use', 'abort='];

/** The compiled kernels; from a file of the cache where source, flags and compiler are still the same. */
export async function readKernels(): Promise<Uint8Array<ArrayBuffer>> {
  const file = await kernelsFile();
  return new Uint8Array(await readFile(file));
}

/** Path of the compiled kernels, whose name holds a hash of what they were compiled from. */
export async function kernelsFile(): Promise<string> {
  const source = await readFile(join(projectFolder, sourceFile));
  // The compiler's version is fixed there.
  const manifest = await readFile(join(projectFolder, 'package.json'), 'utf8');
  const compiler = /"assemblyscript": "(.*)"/.exec(manifest)?.[1];
  const hash = createHash('sha256').update(JSON.stringify([flags, compiler])).update(source).digest('hex').slice(0, 16);
  const file = join(cacheFolder, `kernels-${hash}.wasm`);
  const cached = await readFile(file).catch(() => undefined);
  if (!cached) await compile(file);
  return file;
}

async function compile(file: string): Promise<void> {
  const { main } = await import('assemblyscript/asc');
  let binary: Uint8Array | undefined;
  const { error, stderr } = await main([sourceFile, ...flags, '--baseDir', projectFolder, '--outFile', 'kernels.wasm'], {
    writeFile: (_, content) => {
      if (typeof content !== 'string') binary = content;
    },
  });
  if (error || !binary) throw new Error(`The kernels of the CPU engine do not compile: ${stderr.toString()}`, { cause: error });
  await mkdir(dirname(file), { recursive: true });
  // Several processes may compile at once: each writes a file of its own, and the last rename wins.
  const own = `${file}.${process.pid}`;
  await writeFile(own, binary);
  await rename(own, file);
}
