import { countKinds, type KindNames, type OverlayBox } from './boxText';
import { kindLook, type Theme } from './palette';
import './charts.css';

export interface KindKeysProps {
  theme: Theme;
  boxes: readonly OverlayBox[];
  names?: KindNames | undefined;
}

/** How boxes of each kind that occurs look, and how many there are. */
export function KindKeys({ theme, boxes, names = {} }: KindKeysProps) {
  const kinds = countKinds(boxes);
  if (kinds.length === 0) return null;
  return (
    <div className="chart chart-key">
      {kinds.map(({ kind, count }) => {
        const { colour, dash } = kindLook(theme, kind);
        return (
          <span key={kind}>
            <svg width="30" height="8" aria-hidden="true">
              <line x1="0" x2="30" y1="4" y2="4" stroke={colour} strokeWidth="2" strokeDasharray={dash.join(' ')} />
            </svg>
            {count} {names[kind] ?? kind}
          </span>
        );
      })}
    </div>
  );
}
