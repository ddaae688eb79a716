/** Compiles the kernels of the event-driven engine and of training (AssemblyScript) when they are first needed, and keeps the result. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

const projectFolder = resolve(import.meta.dirname, '../..');
const sourceFolder = 'src/tensor/event/kernels';
const cacheFolder = join(projectFolder, 'node_modules', '.cache', 'ems-yolo');
const commonFlags = ['-O3', '--enable', 'simd', '--runtime', 'stub', '--noAssert', '--use', 'abort='];

/** A memory that threads share must have a limit; what its data segments leave out is 0 when it is made, and may be something else later. */
const sharedMemoryFlags = ['--enable', 'threads', '--importMemory', '--sharedMemory', '--initialMemory', '16', '--maximumMemory', '32768', '--zeroFilledMemory'];

/** Only where the machine has it: anything else refuses to compile such a program. */
const relaxedFlags = ['--enable', 'relaxed-simd'];

/** `index` runs networks, `threads` does it on a memory that several threads share; both again for relaxed SIMD; `training` trains them. */
const programs = {
  index: { source: 'index', flags: commonFlags },
  threads: { source: 'index', flags: [...commonFlags, ...sharedMemoryFlags] },
  relaxed: { source: 'index', flags: [...commonFlags, ...relaxedFlags] },
  relaxedThreads: { source: 'index', flags: [...commonFlags, ...relaxedFlags, ...sharedMemoryFlags] },
  training: { source: 'training', flags: commonFlags },
} as const;
export type KernelProgram = keyof typeof programs;

/** The compiled kernels; from a file of the cache where source, flags and compiler are still the same. */
export async function readKernels(program: KernelProgram = 'index'): Promise<Uint8Array<ArrayBuffer>> {
  const file = await kernelsFile(program);
  return new Uint8Array(await readFile(file));
}

/** Compilations under way in this process, by their file: whoever else asks waits for the same one. */
const compiling = new Map<string, Promise<void>>();

/** Path of the compiled kernels, whose name holds a hash of what they were compiled from. */
export async function kernelsFile(program: KernelProgram, folder = cacheFolder): Promise<string> {
  const hash = createHash('sha256');
  // The compiler's version is fixed there.
  const manifest = await readFile(join(projectFolder, 'package.json'), 'utf8');
  const compiler = /"assemblyscript": "(.*)"/.exec(manifest)?.[1];
  hash.update(JSON.stringify([program, programs[program].flags, compiler]));
  for (const name of (await readdir(join(projectFolder, sourceFolder))).sort()) {
    hash.update(name).update(await readFile(join(projectFolder, sourceFolder, name)));
  }
  const file = join(folder, `kernels-${program}-${hash.digest('hex').slice(0, 16)}.wasm`);
  const cached = await readFile(file).catch(() => undefined);
  if (cached) return file;
  let compilation = compiling.get(file);
  if (!compilation) {
    compilation = compile(program, file).finally(() => compiling.delete(file));
    compiling.set(file, compilation);
  }
  await compilation;
  return file;
}

async function compile(program: KernelProgram, file: string): Promise<void> {
  const { main } = await import('assemblyscript/asc');
  let binary: Uint8Array | undefined;
  const { source, flags } = programs[program];
  const { error, stderr } = await main([`${sourceFolder}/${source}.ts`, ...flags, '--baseDir', projectFolder, '--outFile', 'kernels.wasm'], {
    writeFile: (_, content) => {
      if (typeof content !== 'string') binary = content;
    },
  });
  if (error || !binary) throw new Error(`The ${program} kernels of the CPU engine do not compile: ${stderr.toString()}`, { cause: error });
  await mkdir(dirname(file), { recursive: true });
  // Several processes may compile at once: each writes a file of its own, and the last rename wins.
  const own = `${file}.${process.pid}`;
  await writeFile(own, binary);
  await rename(own, file);
}
