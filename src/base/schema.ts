import { z } from 'zod';

// zod would otherwise compile its schemas with `new Function`, which the page's content security policy forbids and
// reports. It decides when a schema is made: every schema of the program therefore gets `z` from here.
z.config({ jitless: true });

export { z };
