import { max } from 'd3';
import { formatCount, formatRate } from './format';
import { LegendScale } from './LegendScale';
import { inkOnRamp, rampColour, type Theme } from './palette';
import { fromZero, rampPosition } from './valueScale';
import './charts.css';

export interface StripLayer {
  /** The layer's number in the network. */
  index: number;
  label: string;
  /** Spikes per neuron, 0 to 1; null where neurons emit values. */
  rate: number | null;
}

export interface StripBlock {
  /** The block's row in the network. */
  index: number;
  label: string;
  /** What kind of block: "EMS-Block2". */
  kind: string;
  channels: number;
  height: number;
  width: number;
  layers: readonly StripLayer[];
}

export interface NetworkStripProps {
  blocks: readonly StripBlock[];
  /** A layer's `index`. */
  selected?: number | undefined;
  onSelectLayer?: (index: number) => void;
  theme: Theme;
}

/** The network's blocks in order with their neuron layers inside, coloured by firing rate; each layer is a button. */
export function NetworkStrip({ blocks, selected, onSelectLayer, theme }: NetworkStripProps) {
  const highest = max(blocks.flatMap(({ layers }) => layers.map(({ rate }) => rate ?? 0))) ?? 0;
  const domain = fromZero(Math.max(highest, 1e-6));
  const pointed = blocks.flatMap(({ layers }) => layers).find(({ index }) => index === selected);
  return (
    <div className="chart">
      <ol className="chart-network" aria-label="Blocks of the network">
        {blocks.map((block) => (
          <li key={block.index} className="chart-block">
            <div className="chart-block-head">
              <span className="chart-block-label">{block.label}</span>
              <span className="chart-block-kind">{block.kind}</span>
              <span className="chart-block-size">
                {formatCount(block.channels)} × {block.height} × {block.width}
              </span>
            </div>
            {block.layers.length > 0 ? (
              <div className="chart-block-layers">
                {block.layers.map((layer) => {
                  const position = layer.rate === null ? undefined : rampPosition(domain, layer.rate);
                  return (
                    <button
                      key={layer.index}
                      type="button"
                      className="chart-layer"
                      aria-pressed={layer.index === selected}
                      aria-label={`${block.label}, ${layer.label}: ${layer.rate === null ? 'emits values' : `firing rate ${formatRate(layer.rate)}`}`}
                      title={`${block.label}, ${layer.label}`}
                      onClick={() => onSelectLayer?.(layer.index)}
                    >
                      <span className="chart-layer-label">{layer.label}</span>
                      <span
                        className="chart-layer-rate"
                        style={
                          position === undefined
                            ? undefined
                            : { background: rampColour('sequential', theme, position), color: inkOnRamp('sequential', theme, position) }
                        }
                      >
                        {layer.rate === null ? 'values' : formatRate(layer.rate)}
                      </span>
                    </button>
                  );
                })}
              </div>
            ) : (
              <div className="chart-block-none">no neurons</div>
            )}
          </li>
        ))}
      </ol>
      <LegendScale domain={domain} theme={theme} title="Firing rate" format={formatRate} marked={pointed?.rate ?? undefined} />
    </div>
  );
}
