import { useMemo, useRef, useState } from 'react';
import { format } from 'd3';
import type { Box, Size } from '../base/geometry';
import { BoxOverlay, type Veil } from './BoxOverlay';
import { boxText, type KindNames, type OverlayBox } from './boxText';
import { countPolarities, describeEventPixel, eventColours, shrinkEvents, signedPixels, type EventPixels } from './eventPixels';
import { formatCount } from './format';
import { KindKeys } from './KindKeys';
import type { Cell } from './layerViews';
import { rampColour, type Theme } from './palette';
import { fitInto } from './placement';
import { TableDetails } from './TableDetails';
import { useSize } from './useCanvas';
import './charts.css';

export interface EventPictureProps {
  /** What the boxes are of: "SNN, 1.200–1.250 s". */
  title: string;
  sensor: Size;
  /** A new object for new events. */
  pixels: EventPixels;
  theme: Theme;
  /** In the sensor's pixels. */
  boxes: readonly OverlayBox[];
  /** As on any picture. */
  kindNames?: KindNames;
  hovered?: number | undefined;
  selected?: number | undefined;
  /** As on any picture. */
  marker?: Box | undefined;
  field?: Box | undefined;
  veil?: Veil | undefined;
  /** Pixels that fire by themselves; they are ringed. */
  hotPixels?: readonly Cell[] | undefined;
  onHover?: (index: number | undefined) => void;
  onSelect?: (index: number | undefined) => void;
  onHoverPixel?: (pixel: Cell | undefined) => void;
}

const noHotPixels: readonly Cell[] = [];
const formatPlace = format('.0f');

/** The events of a window as one picture, with boxes on it; a legend, and the boxes as a table. */
export function EventPicture(props: EventPictureProps) {
  const { title, sensor, pixels, theme, boxes, kindNames = {}, hovered, selected, marker, field, veil, hotPixels = noHotPixels, onHover, onSelect, onHoverPixel } = props;
  const [pixel, setPixel] = useState<Cell>();
  const { width, height } = sensor;
  const frame = useRef<HTMLDivElement>(null);
  const pane = useSize(frame);
  const devicePixels = pane ? fitInto({ width, height }, pane).scale * pane.pixelRatio : 1;
  const scale = Math.min(devicePixels, 1);
  const image = useMemo(() => {
    const { signed, size } = shrinkEvents(signedPixels(pixels), { width, height }, { width: width * scale, height: height * scale });
    const canvas = new OffscreenCanvas(size.width, size.height);
    canvas.getContext('2d')?.putImageData(new ImageData(eventColours(signed, theme), size.width, size.height), 0, 0);
    return canvas;
  }, [pixels, theme, width, height, scale]);
  const { on, off } = useMemo(() => countPolarities(signedPixels(pixels)), [pixels]);
  const facts = `${formatCount(on)} ON and ${formatCount(off)} OFF pixels of ${width} × ${height}`;
  const box = hovered === undefined ? undefined : boxes[hovered];
  return (
    <div className="chart">
      <div ref={frame} className="chart-events" style={{ aspectRatio: `${width} / ${height}` }}>
        <BoxOverlay
          image={image}
          pixelated
          width={width}
          height={height}
          detections={boxes}
          title={`${title}, ${facts}`}
          kindNames={kindNames}
          theme={theme}
          hovered={hovered}
          selected={selected}
          marker={marker}
          field={field}
          veil={veil}
          ringed={hotPixels}
          onHover={onHover}
          onSelect={onSelect}
          onHoverPixel={(next) => {
            if (next?.x === pixel?.x && next?.y === pixel?.y) return;
            setPixel(next);
            onHoverPixel?.(next);
          }}
        />
      </div>
      <div className="chart-key">
        <EventKey theme={theme} isSurface={pixels.kind === 'surface'} />
        {hotPixels.length > 0 && (
          <span>
            <svg width="14" height="14" aria-hidden="true">
              <circle cx="7" cy="7" r="5" className="chart-ring" />
            </svg>
            {formatCount(hotPixels.length)} hot {hotPixels.length === 1 ? 'pixel' : 'pixels'}
          </span>
        )}
      </div>
      <KindKeys theme={theme} boxes={boxes} names={kindNames} />
      <output className="chart-readout">
        {box
          ? `${box.kind ? `${kindNames[box.kind] ?? box.kind}: ` : ''}${boxText({ ...box, kind: undefined })}, from ${corner(box.box[0], box.box[1])} to ${corner(box.box[2], box.box[3])}`
          : pixel
            ? `x ${pixel.x}, y ${pixel.y}: ${describeEventPixel(pixels, pixel.y * width + pixel.x)}`
            : facts}
      </output>
      {hotPixels.length > 0 && (
        <TableDetails summary="Hot pixels" columns={['x', 'y']} rows={() => hotPixels.map(({ x, y }) => [String(x), String(y)])} />
      )}
    </div>
  );
}

function corner(x: number, y: number): string {
  return `x ${formatPlace(x)}, y ${formatPlace(y)}`;
}

/** ON and OFF as swatches; those of a time surface fade towards "no event". */
export function EventKey({ theme, isSurface }: { theme: Theme; isSurface: boolean }) {
  const swatches = (positions: readonly number[], text: string) => (
    <span>
      <svg width={12 * positions.length} height="12" aria-hidden="true">
        {positions.map((position, at) => (
          <rect key={position} x={12 * at + 0.5} y="0.5" width={at < positions.length - 1 ? 12 : 11} height="11" fill={rampColour('events', theme, position)} className="chart-swatch" />
        ))}
      </svg>
      {text}
    </span>
  );
  return isSurface ? (
    <>
      {swatches([1, 0.85, 0.7], 'ON, fresh to old')}
      {swatches([0, 0.15, 0.3], 'OFF, fresh to old')}
      {swatches([0.5], 'no event')}
    </>
  ) : (
    <>
      {swatches([1], 'ON (brighter)')}
      {swatches([0], 'OFF (darker)')}
      {swatches([0.5], 'no event')}
    </>
  );
}
