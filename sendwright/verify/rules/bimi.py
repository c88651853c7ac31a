"""The logo of a domain, where there is one (BIMI)."""

from sendwright.verify.finding import Check, also

RECORD = Check(
    "bimi.record",
    "The BIMI record can be parsed, and its logo and evidence are fetched by HTTPS",
    "No logo is shown",
    "draft-brand-indicators-for-message-identification, 4.2",
    others=also("checkdmarc"),
)
POLICY = Check(
    "bimi.policy",
    "DMARC is strict enough for a logo",
    "No logo is shown while the policy is none",
    "draft-brand-indicators-for-message-identification, 4.1",
    others=also("checkdmarc"),
)

CHECKS = (RECORD, POLICY)
