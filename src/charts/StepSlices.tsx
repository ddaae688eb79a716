import { useCallback, useMemo } from 'react';
import type { Size } from '../base/geometry';
import { drawCells } from './CellMap';
import { countPolarities, eventColours, shrinkEvents, signedSlice } from './eventPixels';
import { EventKey } from './EventPicture';
import { formatCount } from './format';
import { clampIndex } from './layerViews';
import type { Theme } from './palette';
import { fitInto } from './placement';
import { TableDetails } from './TableDetails';
import { useCanvas, type PixelSize } from './useCanvas';
import './charts.css';

export interface StepSlicesProps {
  steps: number;
  width: number;
  height: number;
  /** `[steps, height, width]` as the network is fed: 0 OFF, 127/255 no event, 1 ON. A new array for new values. */
  values: Float32Array;
  /** 0-based. */
  step: number;
  /** The time of every step: "1.200–1.210 s". */
  labels: readonly string[];
  onStep: (step: number) => void;
  theme: Theme;
}

/** What the network is fed at every step, each as a small picture to choose the step by. */
export function StepSlices({ steps, width, height, values, step: wantedStep, labels, onStep, theme }: StepSlicesProps) {
  const step = clampIndex(wantedStep, steps);
  const slices = useMemo(
    () =>
      Array.from({ length: steps }, (_, each) => {
        const signed = signedSlice(values.subarray(each * width * height, (each + 1) * width * height));
        return { ...countPolarities(signed), signed };
      }),
    [steps, width, height, values],
  );
  return (
    <div className="chart">
      <ol className="chart-slices">
        {slices.map(({ signed, on, off }, each) => (
          <li key={each}>
            <button type="button" className="chart-slice" aria-current={each === step ? 'step' : undefined} onClick={() => onStep(each)}>
              <Slice signed={signed} width={width} height={height} theme={theme} />
              <span className="chart-slice-name">Step {each + 1}</span>
              <span className="chart-slice-time">{labels[each]}</span>
              <span className="chart-hidden">
                , {formatCount(on)} ON and {formatCount(off)} OFF pixels
              </span>
            </button>
          </li>
        ))}
      </ol>
      <div className="chart-key">
        <EventKey theme={theme} isSurface={false} />
      </div>
      <TableDetails
        summary="Input of every step"
        columns={['Step', 'Time', 'ON pixels', 'OFF pixels']}
        rows={() => slices.map(({ on, off }, each) => [String(each + 1), labels[each] ?? '', formatCount(on), formatCount(off)])}
      />
    </div>
  );
}

function Slice({ signed, width, height, theme }: { signed: Float32Array; theme: Theme } & Size) {
  const draw = useCallback(
    (context: CanvasRenderingContext2D, pane: PixelSize) => {
      const scale = fitInto({ width, height }, pane).scale * pane.pixelRatio;
      const { signed: shown, size } = shrinkEvents(signed, { width, height }, { width: width * scale, height: height * scale });
      drawCells(context, eventColours(shown, theme), size, fitInto(size, pane));
    },
    [signed, width, height, theme],
  );
  const { canvas } = useCanvas(draw);
  return (
    <span className="chart-slice-picture" style={{ aspectRatio: `${width} / ${height}` }}>
      <canvas ref={canvas} aria-hidden="true" />
    </span>
  );
}
