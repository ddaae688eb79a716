import type { ChoiceStorage } from './kernelChooser';

const cacheName = 'kernel choices';
const addressOf = (key: string): string => `/kernel-choices/${encodeURIComponent(key)}`;

/** In the browser's cache storage, which workers have too. */
export const storedChoices: ChoiceStorage = {
  read: async (key) => {
    const cache = await caches.open(cacheName);
    return (await cache.match(addressOf(key)))?.text();
  },
  write: async (key, choice) => {
    const cache = await caches.open(cacheName);
    await cache.put(addressOf(key), new Response(choice));
  },
};
