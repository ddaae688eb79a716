import { instantiate } from './kernels';
import { help, type HelperSetup } from './team';

/** The work of a helper, from the message that sets it up. @param ready is called before it begins */
export function serve({ module, memory, job, thread, threads }: HelperSetup, ready: () => void): void {
  const kernels = instantiate(module, memory);
  kernels.start(thread, threads);
  ready();
  help(kernels, job, thread);
}
