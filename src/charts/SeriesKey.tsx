import { classColour, classDash, type Theme } from './palette';

/** Which line of a chart is whose, by colour and by dashes. */
export function SeriesKey({ series, theme }: { series: readonly { name: string }[]; theme: Theme }) {
  return (
    <div className="chart-key">
      {series.map(({ name }, index) => (
        <span key={name}>
          <svg width="26" height="10" aria-hidden="true">
            <line x1="0" x2="26" y1="5" y2="5" className="chart-run-curve" stroke={classColour(theme, index)} strokeDasharray={classDash(index).join(' ')} />
          </svg>
          {name}
        </span>
      ))}
    </div>
  );
}
