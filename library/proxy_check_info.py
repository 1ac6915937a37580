# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module: ask a proxy for what must pass and for what must not."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy_check_info
short_description: Ask a proxy for what must pass and for what must not
version_added: 0.1.0
description:
  - Sends requests to a proxy from the host on which it runs, without credentials, and tells what became of each.
  - A host that must pass is asked for by CONNECT, and has to prove its name by TLS with a verified certificate.
  - What must not pass is each of O(foreign), other ports, plain HTTP, an address in place of a name, the metadata service, the
    proxy's own machine and its cache manager.
  - Fails when there is no proxy to answer. A proxy that answers otherwise than expected does not fail it; see RV(surprises).
author:
  - dynabridge contributors (!UNKNOWN)
options:
  proxy:
    description: Host and port of the proxy. Port 80 when it names none.
    type: str
    required: true
  allowed:
    description: Names of the hosts that must pass, on port 443.
    type: list
    elements: str
    required: true
  foreign:
    description: Names of hosts that must not pass, by what they are.
    type: dict
    default: {}
  admitted:
    description: Whether the proxy is to admit this client. V(false) expects that it refuses everything.
    type: bool
    default: true
  ca_file:
    description: File with the certificates of authorities to trust. Those of the host when empty.
    type: path
  timeout:
    description: Seconds for each answer. Longer than the proxy itself tries to reach an endpoint.
    type: float
    default: 20
extends_documentation_fragment:
  - dynabridge.reads_only
"""

EXAMPLES = r"""
- name: Ask the proxy
  proxy_check_info:
    proxy: 203.0.113.7:80
    allowed: "{{ 'cn-north-1' | dynabridge_proxy_hosts(['kinesis']) }}"
    foreign:
      another region: "{{ 'kinesis' | dynabridge_proxy_endpoint('cn-northwest-1') }}"
  register: check

- name: Stop when it does something else
  ansible.builtin.assert:
    that: check.surprises == 0
    fail_msg: "{{ check.summary }}"
"""

RETURN = r"""
surprises:
  description: Requests that came out otherwise than expected.
  returned: success
  type: int
summary:
  description: The outcome in a sentence or a few, with what to do.
  returned: success
  type: str
table:
  description: The requests, what was expected of each and what came, as lines.
  returned: success
  type: list
  elements: str
requests:
  description: The same as data.
  returned: success
  type: list
  elements: dict
  contains:
    what:
      description: What is asked for, in words.
      returned: always
      type: str
      sample: another region
    method:
      description: V(CONNECT) or V(GET).
      returned: always
      type: str
    target:
      description: What is asked for.
      returned: always
      type: str
    expected:
      description: V(passes) or V(refused).
      returned: always
      type: str
    got:
      description:
        - V(passes), V(refused), V(unreachable) (the proxy was willing, but could not get there), V(certificate) (somebody else
          answered), V(no TLS), or V(login).
      returned: always
      type: str
    detail:
      description: What was said.
      returned: always
      type: str
    ok:
      description: Whether it is as expected.
      returned: always
      type: bool
"""

import ssl
from concurrent.futures import ThreadPoolExecutor

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.dynabridge import proxy as words
from ansible.module_utils.dynabridge.proxy_check import Row, probes, shown, summary, table
from ansible.module_utils.dynabridge.proxy_probe import ProxyDown, ask

ARGUMENT_SPEC = {
    "proxy": {"type": "str", "required": True},
    "allowed": {"type": "list", "elements": "str", "required": True},
    "foreign": {"type": "dict", "default": {}},
    "admitted": {"type": "bool", "default": True},
    "ca_file": {"type": "path"},
    "timeout": {"type": "float", "default": 20},
}
AT_A_TIME = 4


def check(params: dict, server: tuple[str, int], trust: ssl.SSLContext) -> list[Row]:
    """The first request alone: a proxy that is down is told once, not twenty times."""
    first, *others = probes(params["allowed"], params["foreign"], params["admitted"])

    def one(probe):
        return ask(server, probe, trust, params["timeout"])

    begun = [one(first)]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return begun + list(pool.map(one, others))


def main() -> None:
    """Entry point."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    params = module.params
    named = words.masked(params["proxy"])
    try:
        server = words.address(params["proxy"])
        trust = ssl.create_default_context(cafile=params["ca_file"])
    except ValueError as error:
        module.fail_json(msg=f"proxy: {error}")
    except OSError as error:
        module.fail_json(msg=f"ca_file {params['ca_file']} cannot be read: {error}")
    if params["timeout"] <= 0 or not params["allowed"]:
        module.fail_json(msg="timeout must be more than 0, and allowed must name a host")
    try:
        rows = check(params, server, trust)
    except ProxyDown as error:
        problem = words.Problem(words.DOWN, str(error))
        module.fail_json(msg=words.sentence(problem, params["proxy"], ", ".join(params["allowed"])))
    module.exit_json(
        changed=False,
        surprises=sum(not row.ok for row in rows),
        summary=summary(rows, named),
        table=table(rows),
        requests=[shown(row) for row in rows],
    )


if __name__ == "__main__":
    main()
