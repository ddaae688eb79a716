import { useState } from 'react';
import { costTableIds, realValuedChoices, type EnergyConvention } from '../../base/energyConvention';
import { EnergyBars, type LayerEnergyBar } from '../../charts/EnergyBars';
import { formatEnergy, formatRatio } from '../../charts/format';
import { setEnergyConvention } from '../../commands/energy';
import { saveEnergy } from '../../commands/exports';
import { usePlayground, type DetectionResult, type EnergyBreakdown, type EnergyState } from '../../state/store';
import { Button, Panel, SelectField, SwitchField } from '../../ui/controls';
import './energy.css';

const tables: Record<EnergyConvention['table'], string> = {
  fp32: '45 nm FP32: 4.6 / 0.9 pJ',
  fp16: '45 nm FP16: 1.5 / 0.4 pJ',
  int8: '45 nm INT8: 0.23 / 0.03 pJ',
};

const realValued: Record<EnergyConvention['realValued'], { label: string; description: string }> = {
  once: { label: 'once', description: 'The published formula: encoder, membrane shortcuts and detection layers count one pass' },
  firstOnce: { label: 'first layer once', description: 'A still picture gives the first layer the same result at every step; the others are computed T times' },
  everyStep: { label: 'at every step', description: 'Every layer is computed T times' },
};

/** What the frame would take on hardware made for spikes, layer by layer, under a convention that stands beside every number. */
export function EnergyPanel() {
  const { convention, estimates } = usePlayground((state) => state.energy);
  const results = usePlayground((state) => state.results);
  const theme = usePlayground((state) => state.view.shownTheme);
  const [wanted, setWanted] = useState<'snn' | 'converted'>('snn');
  const network = wanted === 'converted' && estimates.converted ? 'converted' : 'snn';
  const result = results[network]?.result;
  const estimate = estimates[network];
  return (
    <Panel title="Energy per layer" aside="an estimate for neuromorphic hardware, not this device’s consumption">
      <ConventionControls convention={convention} />
      {estimates.converted && (
        <SelectField
          label="Network whose energy is shown"
          hideLabel
          choices={[
            { id: 'snn', label: 'SNN' },
            { id: 'converted', label: 'Converted SNN' },
          ]}
          value={network}
          onChange={setWanted}
        />
      )}
      <Ratios estimates={estimates} />
      {result && estimate && (
        <>
          <EnergyBars
            layers={barsOf(result, estimate.chosen)}
            name={network === 'snn' ? 'SNN' : 'Converted SNN'}
            network={network}
            steps={result.steps}
            theme={theme}
          />
          <p className="energy-convention" data-testid="energy-convention">
            Counted: {estimate.chosen.convention}. Operations per step: {(estimate.chosen.acOpsPerStep / 1e6).toFixed(1)} M on spikes,{' '}
            {(estimate.chosen.macOpsPerStep / 1e6).toFixed(1)} M on real values.
          </p>
          <div className="energy-actions">
            <Button onPress={() => saveEnergy(network)}>Save as CSV</Button>
          </div>
        </>
      )}
      <details className="energy-about">
        <summary>What the paper’s 5.83 counted</summary>
        <p>
          EMS-YOLO’s abstract says 5.83 times less energy than the ANN of the same architecture, on COCO and on Gen1. Its formula is E = T · Σ (firing rate ·
          0.9 pJ · operations of a layer that reads spikes) + 4.6 pJ · operations of layers that read real values, against 4.6 pJ · all operations once: 45 nm
          FP32, arithmetic only. It counts neither neuron updates nor memory traffic, and does not say which layers’ real-valued operations are counted
          once and which T times, nor list the firing rates behind the figure, so that it cannot be recomputed exactly. For EMS-Res34 at a
          firing rate of 0.2 the choice alone moves the ratio from 5.5 (all once) over 5.1 (the first layer once) to 3.7 (all at every step).
        </p>
        <p>
          Costs are Horowitz’s for 45 nm (ISSCC 2014). Memory traffic follows Lemaire et al. (ICONIP 2022): a MAC reads a weight and an input, an AC reads a
          weight and reads and writes a membrane, each at the cost of a 32 kB SRAM, and nothing is reused; real hardware reuses much, so that this is an
          upper bound for both networks.
        </p>
      </details>
    </Panel>
  );
}

function ConventionControls({ convention }: { convention: EnergyConvention }) {
  return (
    <div className="energy-controls">
      <SelectField label="Cost of a MAC / an AC" choices={costTableIds.map((id) => ({ id, label: tables[id] }))} value={convention.table} onChange={(table) => setEnergyConvention({ table })} />
      <SelectField
        label="Real-valued layers"
        choices={realValuedChoices.map((id) => ({ id, ...realValued[id] }))}
        value={convention.realValued}
        onChange={(choice) => setEnergyConvention({ realValued: choice })}
      />
      <div className="energy-switches">
        <SwitchField
          label="Neuron updates"
          description="A LIF neuron: a MAC and a comparison a step; an IF neuron: an addition and a comparison; ReLU: a comparison"
          isOn={convention.neuronUpdates}
          onChange={(neuronUpdates) => setEnergyConvention({ neuronUpdates })}
        />
        <SwitchField
          label="Memory traffic"
          description="Weights, inputs, outputs and membranes from a 32 kB SRAM, nothing reused"
          isOn={convention.memory}
          onChange={(memory) => setEnergyConvention({ memory })}
        />
      </div>
    </div>
  );
}

/** How many times less than the ANN, as the paper counts and as chosen. */
function Ratios({ estimates }: { estimates: EnergyState['estimates'] }) {
  const rows = (['snn', 'converted'] as const).flatMap((network) => {
    const estimate = estimates[network];
    return estimate ? [{ network, ...estimate }] : [];
  });
  if (rows.length === 0) return <p className="panel-empty">Nothing has run yet.</p>;
  return (
    <div className="table-scroll" tabIndex={0} role="region" aria-label="Energy of the whole network">
      <table className="energy-totals" data-testid="energy-totals">
        <thead>
          <tr>
            <th scope="col">network</th>
            <th scope="col">energy, as chosen</th>
            <th scope="col">ANN</th>
            <th scope="col">ANN / it, as chosen</th>
            <th scope="col">as the paper counts</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ network, chosen, paper }) => (
            <tr key={network}>
              <th scope="row">{network === 'snn' ? 'SNN' : 'Converted SNN'}</th>
              <td>{chosen.snnPj === null ? 'not measured' : formatEnergy(chosen.snnPj)}</td>
              <td>{formatEnergy(chosen.annPj)}</td>
              <td>
                <strong>{ratioOf(chosen)}</strong>
              </td>
              <td title={paper.convention}>{ratioOf(paper)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function ratioOf({ snnPj, annPj }: EnergyBreakdown): string {
  return snnPj === null || snnPj === 0 ? '–' : `${formatRatio(annPj / snnPj)} ×`;
}

function barsOf({ operations }: DetectionResult, { layers, neurons }: EnergyBreakdown): LayerEnergyBar[] {
  const bars = operations.layers.map(({ name, readsSpikes }, index): LayerEnergyBar => {
    const { snnPj = null, annPj = 0, perStepPj } = layers[index] ?? {};
    return { name, operation: readsSpikes ? 'AC' : 'MAC', snnPj, annPj, perStepPj };
  });
  return neurons.snnPj > 0 ? [...bars, { name: 'neurons', operation: '', ...neurons, perStepPj: undefined }] : bars;
}
