/** `npm run build`: the site, into `dist/`. */
import { buildSite } from './site';

await buildSite();
