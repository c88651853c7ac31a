"""RFC 7208, section by section. The client is 192.0.2.1 or 2001:db8::1, the sender s@e.example, unless said."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

import pytest

from sendwright.dns.spf_check import Result, Verdict, check_host, check_mail
from sendwright.dns.spf_lookup import Lookup

V4, V6 = "192.0.2.1", "2001:db8::1"
Types = Mapping[str, Sequence[str]]
Check = Callable[..., Verdict]


@pytest.fixture(scope="session")
def check(world: Callable[[Mapping[str, Types]], Lookup]) -> Check:
    """Return what checks a record of e.example, with the rest of its world by name."""

    def checked(record: str | Sequence[str], zone: Mapping[str, Types] | None = None, ip: str = V4) -> Verdict:
        records = [record] if isinstance(record, str) else record
        zone = zone or {}
        own = {"e.example": {**zone.get("e.example", {}), "TXT": records}}
        return check_host(ip, "e.example", "s@e.example", "h.example", world({**zone, **own}), clock=lambda: 1234.5)

    return checked


def _spf(text: str) -> Types:
    return {"TXT": ["v=spf1 " + text]}


PTR = ip_address(V4).reverse_pointer
PTR6 = ip_address(V6).reverse_pointer


class TestInitialProcessing:
    """Sections 2.4, 4.3, 4.4 and 4.5."""

    @pytest.mark.parametrize(
        "domain",
        ["example", "", ".", "a..example", ".e.example", "x" * 64 + ".example", "é.example", "a." * 126 + "example"],
    )
    def test_a_malformed_domain_has_no_policy(self, domain: str, world: Callable[..., Lookup]) -> None:
        """Section 4.3; nothing is asked."""
        zone = {domain.removesuffix("."): _spf("-all")}

        assert check_host(V4, domain, f"s@{domain}", "h.example", world(zone)).result is Result.NONE

    def test_a_final_dot_is_no_empty_label(self, world: Callable[..., Lookup]) -> None:
        """Section 4.3: a zero-length label at the end."""
        assert check_host(V4, "e.example.", "s@e.example.", "h", world({"e.example": _spf("-all")})).result == "fail"

    def test_without_a_record_there_is_no_policy(self, check: Check) -> None:
        """Section 4.5: other texts, and other versions, are no records."""
        assert check([]).result is Result.NONE
        assert check(["v=spf10 -all", "v=spf1\t-all", "spf2.0/pra -all", "v=DMARC1"]).result is Result.NONE

    def test_two_records_are_an_error_and_other_texts_are_not(self, check: Check) -> None:
        """Section 4.5."""
        two = check(["v=spf1 +all", "V=SPF1 +all"])

        assert two.result is Result.PERMERROR
        assert "2 SPF records" in two.why
        assert check(["v=spf1 +all", "x", "v=spf10"]).result is Result.PASS

    def test_a_failing_lookup_is_a_temporary_error(self, check: Check) -> None:
        """Section 4.4."""
        failed = check("!")

        assert failed.result is Result.TEMPERROR
        assert "timed out" in failed.why

    def test_a_fault_anywhere_is_an_error_even_behind_a_match(self, check: Check) -> None:
        """Section 4.6: the whole record is checked before any term is tried."""
        faulty = check("v=spf1 +all foo")

        assert faulty.result is Result.PERMERROR
        assert "'foo' is an unknown mechanism" in faulty.why
        assert check("v=spf1 +all \xe9=").result is Result.PERMERROR

    def test_records_of_the_type_spf_are_never_asked_for(self, check: Check) -> None:
        """Section 3.1."""
        assert check([], {"e.example": {"SPF": ["v=spf1 +all"]}}).result is Result.NONE

    def test_an_empty_sender_is_the_postmaster_of_the_helo_name(self, world: Callable[..., Lookup]) -> None:
        """Section 2.4."""
        zone = {"h.example": _spf("exists:%{l}.%{o}.x.example -all"), "postmaster.h.example.x.example": {"A": [V4]}}

        assert check_mail(V4, "", "h.example", world(zone)).result is Result.PASS
        assert check_mail(V4, "@h.example", "z.example", world(zone)).result is Result.PASS
        assert check_mail(V4, "a@h.example", "h.example", world(zone)).result is Result.FAIL

    @pytest.mark.parametrize("helo", ["[192.0.2.1]", "host", ""])
    def test_a_helo_that_is_no_domain_has_no_policy(self, helo: str, world: Callable[..., Lookup]) -> None:
        """Section 2.3: address literals and single labels."""
        assert check_mail(V4, "", helo, world({})).result is Result.NONE


class TestEvaluation:
    """Sections 4.6.2, 4.7 and 5.1."""

    @pytest.mark.parametrize(
        ("qualifier", "result"), [("", "pass"), ("+", "pass"), ("-", "fail"), ("~", "softfail"), ("?", "neutral")]
    )
    def test_the_qualifier_of_the_first_match_is_the_result(self, check: Check, qualifier: str, result: str) -> None:
        """Section 4.6.2."""
        verdict = check(f"v=spf1 -ip4:192.0.2.2 {qualifier}ip4:192.0.2.1 {qualifier}all -ip4:192.0.2.1")

        assert (verdict.result, verdict.term, verdict.domain) == (result, f"{qualifier}ip4:192.0.2.1", "e.example")

    def test_no_match_is_neutral(self, check: Check) -> None:
        """Section 4.7."""
        assert check("v=spf1 ip4:192.0.2.2 x=y").result is Result.NEUTRAL
        assert check("v=spf1").term is None

    def test_all_always_matches_and_ends_it(self, check: Check) -> None:
        """Section 5.1: neither what is behind it nor a redirect counts."""
        verdict = check("v=spf1 redirect=r.example ~all mx a", {"r.example": _spf("+all")})

        assert (verdict.result, verdict.lookups) == ("softfail", 0)


class TestAddresses:
    """Sections 5 and 5.6."""

    @pytest.mark.parametrize(
        ("term", "ip", "matches"),
        [
            ("ip4:192.0.2.1", V4, True),
            ("ip4:192.0.2.129/25", V4, False),
            ("ip4:192.0.2.127/25", V4, True),
            ("ip4:255.0.0.0/0", V4, True),
            ("ip4:0.0.0.0/0", V6, False),
            ("ip6:::/0", V4, False),
            ("ip6:2001:DB8::/32", V6, True),
            ("ip6:2001:db8::2", V6, False),
            ("ip4:192.0.2.1", "::ffff:192.0.2.1", True),
            ("ip6:::ffff:192.0.2.1", "::ffff:192.0.2.1", False),
            ("ip6:::ffff:0:0/96", V4, False),
        ],
    )
    def test_only_high_order_bits_of_the_own_family_are_compared(
        self, check: Check, term: str, ip: str, matches: bool
    ) -> None:
        """An IPv4 address in the disguise of IPv6 is an IPv4 address."""
        assert (check(f"v=spf1 {term} -all", ip=ip).result is Result.PASS) is matches


class TestA:
    """Section 5.3."""

    ZONE = {
        "e.example": {"A": ["192.0.2.9", V4], "AAAA": [V6]},
        "x.example": {"A": ["192.0.2.77"], "AAAA": ["2001:db8::77"]},
    }

    @pytest.mark.parametrize(
        ("term", "four", "six"),
        [
            ("a", True, True),
            ("a:x.example", False, False),
            ("a:x.example/24", True, False),
            ("a:x.example//64", False, True),
            ("a:x.example/24//64", True, True),
            ("a:x.example/0//0", True, True),
            ("a:none.example/0//0", False, False),
        ],
    )
    def test_the_addresses_of_the_clients_family_are_compared(
        self, check: Check, term: str, four: bool, six: bool
    ) -> None:
        """A for IPv4 and AAAA for IPv6, each with its own prefix."""
        assert (check(f"v=spf1 {term} -all", self.ZONE).result is Result.PASS) is four
        assert (check(f"v=spf1 {term} -all", self.ZONE, V6).result is Result.PASS) is six

    def test_a_failing_lookup_is_a_temporary_error(self, check: Check) -> None:
        """Section 5; a term that is not reached does not fail."""
        zone = {"t.example": {"*": ["!"]}}

        assert check("v=spf1 a:t.example +all", zone).result is Result.TEMPERROR
        assert check("v=spf1 ip4:192.0.2.1 a:t.example", zone).result is Result.PASS

    @pytest.mark.parametrize("name", ["a..example", "x" * 64 + ".example", ".example"])
    def test_a_name_that_cannot_be_asked_for_matches_nothing(self, check: Check, name: str) -> None:
        """Section 4.8 leaves it open; it is no lookup, so no void one either."""
        verdict = check(f"v=spf1 a:{name} mx:{name} exists:{name} a:{name} -all", {name: {"A": [V4]}})

        assert (verdict.result, verdict.lookups, verdict.voids) == ("fail", 4, 0)


class TestMx:
    """Section 5.4."""

    def test_the_addresses_of_every_exchange_are_compared(self, check: Check) -> None:
        """In the client's family, with its prefix."""
        zone = {
            "e.example": {"MX": ["m1.example.", "m2.example"]},
            "m1.example": {"A": ["198.51.100.1"]},
            "m2.example": {"A": ["192.0.2.200"], "AAAA": ["2001:db8::200"]},
        }

        assert check("v=spf1 mx -all", zone).result is Result.FAIL
        assert check("v=spf1 mx/24 -all", zone).result is Result.PASS
        assert check("v=spf1 mx//96 -all", zone, V6).result is Result.PASS

    def test_there_is_no_implicit_exchange(self, check: Check) -> None:
        """The domain's own address is no MX; and the null MX has none (RFC 7505)."""
        assert check("v=spf1 mx -all", {"e.example": {"A": [V4]}}).result is Result.FAIL
        assert check("v=spf1 mx -all", {"e.example": {"MX": ["."]}, "": {"A": [V4]}}).result is Result.FAIL

    def test_more_than_ten_exchanges_are_an_error(self, check: Check) -> None:
        """Section 4.6.4; ten are not, whatever void answers they give."""
        names = [f"m{i}.example" for i in range(11)]

        assert check("v=spf1 mx -all", {"e.example": {"MX": names}, names[0]: {"A": [V4]}}).result == "permerror"
        assert check("v=spf1 mx -all", {"e.example": {"MX": names[:10]}, names[9]: {"A": [V4]}}).result == "pass"

    def test_a_failing_lookup_is_a_temporary_error(self, check: Check) -> None:
        """Of the exchanges and of their addresses."""
        assert check("v=spf1 mx -all", {"e.example": {"MX": ["!"]}}).result is Result.TEMPERROR
        assert check("v=spf1 mx", {"e.example": {"MX": ["m.example"]}, "m.example": {"A": ["!"]}}).result == "temperror"


class TestPtr:
    """Section 5.5."""

    ZONE = {
        PTR: {"PTR": ["m.e.example.", "xe.example", "lie.example"]},
        "m.e.example": {"A": ["192.0.2.9", V4]},
        "xe.example": {"A": [V4]},
        "lie.example": {"A": ["192.0.2.2"]},
    }

    @pytest.mark.parametrize(
        ("term", "matches"),
        [
            ("ptr", True),
            ("ptr:M.E.Example", True),
            ("ptr:m.e.example.", True),
            ("ptr:a.m.e.example", False),
            ("ptr:.example", False),
            ("ptr:lie.example", False),
            ("ptr:xe.example", True),
        ],
    )
    def test_a_name_that_leads_back_and_is_in_the_domain_matches(self, check: Check, term: str, matches: bool) -> None:
        """By whole labels, without regard to case."""
        assert (check(f"v=spf1 {term} -all", self.ZONE).result is Result.PASS) is matches

    def test_a_name_of_an_ipv6_client_has_its_aaaa_records(self, check: Check) -> None:
        """And is found in ip6.arpa."""
        zone = {PTR6: {"PTR": ["m.e.example"]}, "m.e.example": {"AAAA": ["2001:DB8:0::1"]}}

        assert check("v=spf1 ptr -all", zone, V6).result is Result.PASS

    def test_errors_are_no_match(self, check: Check) -> None:
        """Of the reverse name: nothing matches; of a name: it is passed over."""
        assert check("v=spf1 ptr -all", {PTR: {"PTR": ["!"]}}).result is Result.FAIL
        zone = {**self.ZONE, PTR: {"PTR": ["t.e.example", "m.e.example"]}, "t.e.example": {"A": ["!"]}}
        assert check("v=spf1 ptr -all", zone).result is Result.PASS

    def test_names_beyond_the_tenth_are_ignored(self, check: Check) -> None:
        """Section 4.6.4: no error."""
        others = [f"n{i}.example" for i in range(10)]

        assert check("v=spf1 ptr -all", {**self.ZONE, PTR: {"PTR": [*others[:9], "m.e.example"]}}).result == "pass"
        assert check("v=spf1 ptr -all", {**self.ZONE, PTR: {"PTR": [*others, "m.e.example"]}}).result == "fail"


def test_exists_asks_for_an_ipv4_address_whatever_the_client(check: Check) -> None:
    """Section 5.7: and whatever the address."""
    zone = {"4.example": {"A": ["127.0.0.2"]}, "6.example": {"AAAA": [V6]}, "t.example": {"A": ["!"]}}

    for ip in (V4, V6):
        assert check("v=spf1 exists:4.example -all", zone, ip).result is Result.PASS
        assert check("v=spf1 exists:6.example -all", zone, ip).result is Result.FAIL
        assert check("v=spf1 exists:t.example -all", zone, ip).result is Result.TEMPERROR


class TestInclude:
    """Section 5.2."""

    @pytest.mark.parametrize(
        ("included", "result"),
        [
            (["v=spf1 +all"], "softfail"),
            (["v=spf1 -all"], "pass"),
            (["v=spf1 ~all"], "pass"),
            (["v=spf1 ?all"], "pass"),
            (["v=spf1"], "pass"),
            (["!"], "temperror"),
            (["v=spf1 foo"], "permerror"),
            (["v=spf1 +all", "v=spf1 +all"], "permerror"),
            (["no record"], "permerror"),
            ([], "permerror"),
        ],
    )
    def test_only_a_pass_matches_and_only_errors_pass_through(
        self, check: Check, included: list[str], result: str
    ) -> None:
        """The table: the match has the include's own qualifier, and no record is an error."""
        verdict = check("v=spf1 ~include:i.example +all", {"i.example": {"TXT": included}})

        assert verdict.result == result
        assert verdict.term == {"softfail": "~include:i.example", "pass": "+all"}.get(result)

    def test_the_record_is_that_of_the_included_domain(self, check: Check) -> None:
        """Its `a`, its %{d}; %{o} remains the sender's."""
        zone = {
            "i.example": {"TXT": ["v=spf1 a exists:%{d}.%{o}.x.example"], "A": ["192.0.2.7"]},
            "i.example.e.example.x.example": {"A": ["127.0.0.2"]},
        }

        assert check("v=spf1 include:i.example -all", zone).result is Result.PASS
        assert check("v=spf1 include:i.example -all", zone, "192.0.2.7").lookups == 2

    @pytest.mark.parametrize("target", ["%{d1}", "a..example", "x" * 64 + ".example"])
    def test_a_malformed_target_is_no_record(self, check: Check, target: str) -> None:
        """Section 4.3 says none, and 5.2 makes it an error."""
        assert check(f"v=spf1 include:{target} +all", {"example": _spf("+all")}).result is Result.PERMERROR

    def test_a_domain_of_unusual_characters_is_looked_up(self, check: Check) -> None:
        """Section 4.8: a target name may hold any visible character."""
        assert check("v=spf1 include:a:b/24@c.example", {"a:b/24@c.example": _spf("+all")}).result is Result.PASS

    def test_a_loop_ends_at_the_limit(self, check: Check) -> None:
        """Section 4.6.4 bounds every recursion."""
        assert check("v=spf1 include:e.example").result is Result.PERMERROR
        assert check("v=spf1 redirect=e.example").result is Result.PERMERROR


class TestRedirect:
    """Section 6.1."""

    def test_it_counts_only_where_nothing_matches_wherever_it_stands(self, check: Check) -> None:
        """The result is that of the other record, with its terms and its domain."""
        zone = {"r.example": {"TXT": ["v=spf1 a ~all"], "A": ["192.0.2.5"]}, "e.example": {"A": ["192.0.2.6"]}}
        record = "v=spf1 redirect=r.example ip4:192.0.2.1"

        assert check(record, zone).result is Result.PASS
        assert check(record, zone, "192.0.2.5").result is Result.PASS
        elsewhere = check(record, zone, "192.0.2.6")
        assert (elsewhere.result, elsewhere.term, elsewhere.domain) == ("softfail", "~all", "r.example")

    @pytest.mark.parametrize(
        ("target", "result"),
        [("none.example", "permerror"), ("%{d1}", "permerror"), ("t.example", "temperror"), ("r.example", "neutral")],
    )
    def test_no_record_is_an_error(self, check: Check, target: str, result: str) -> None:
        """Also where the target is malformed."""
        zone = {"t.example": {"TXT": ["!"]}, "r.example": _spf("")}

        assert check(f"v=spf1 redirect={target}", zone).result == result


class TestLimits:
    """Section 4.6.4."""

    def test_the_eleventh_term_that_asks_is_an_error(self, check: Check) -> None:
        """Over the whole evaluation; those that do not ask are free, and so are terms that are not reached."""
        zone: dict[str, Types] = {
            "e.example": {"A": ["192.0.2.2"], "MX": ["e.example"]},
            PTR: {"PTR": ["e.example"]},
            "i.example": _spf("a:e.example mx:e.example ptr:e.example a:e.example"),
            "r.example": _spf("a:e.example ip4:192.0.2.1"),
        }
        ten = "v=spf1 a mx ptr a mx ptr a mx ptr a"
        nested = "v=spf1 include:i.example a a a redirect=r.example"

        for record in (ten + " ip4:192.0.2.1 a", nested):
            assert (check(record, zone).result, check(record, zone).lookups) == ("pass", 10)
        for record in (ten + " ip4:192.0.2.2 a ip4:192.0.2.1", nested.replace("redirect", "a redirect")):
            assert (check(record, zone).result, check(record, zone).lookups) == ("permerror", 11)

    def test_the_third_void_lookup_is_an_error(self, check: Check) -> None:
        """Of any term; the same name counts again, and exp never counts."""
        two = "v=spf1 a:n1.example mx:n2.example{} -all exp=n3.example"

        assert (check(two.format("")).result, check(two.format("")).voids) == ("fail", 2)
        for third in (" a:n1.example", " exists:n3.example", " mx", " ptr"):
            over = check(two.format(third))
            assert (over.result, over.lookups, over.voids) == ("permerror", 3, 3)

    def test_void_is_what_the_client_would_see(self, check: Check) -> None:
        """A name with an A record only is void for an IPv6 client; exists is not."""
        zone = {"e.example": {"A": ["192.0.2.9"]}}

        assert check("v=spf1 a exists:e.example -all", zone).voids == 0
        assert check("v=spf1 a exists:f.example -exists:e.example", zone, V6).voids == 2


class TestExplanation:
    """Section 6.2."""

    ZONE = {
        "x.example": {"TXT": ["See %{d}%_%{S} %{c}+%{R}@%{t}%%"]},
        "two.example": {"TXT": ["one", "two"]},
        "bad.example": {"TXT": ["%{x}"]},
        "octets.example": {"TXT": ["caf\xe9"]},
        "t.example": {"TXT": ["!"]},
        "empty.example": {"TXT": [""]},
    }

    def test_a_fail_is_explained_by_the_text_with_its_macros_expanded(self, check: Check) -> None:
        """With the letters c, r and t, which only it may hold."""
        verdict = check("v=spf1 exp=x.example -all", self.ZONE)

        assert verdict.explanation == "See e.example s%40e.example 192.0.2.1+unknown@1234%"

    @pytest.mark.parametrize(
        "record",
        ["~all", "+all", "?all", "mx:t.example"],
    )
    def test_only_a_fail_is_explained(self, check: Check, record: str) -> None:
        """Not even looked up."""
        assert check(f"v=spf1 exp=x.example {record}", self.ZONE).explanation is None

    @pytest.mark.parametrize("name", ["none", "two", "bad", "octets", "t", "a.", "empty"])
    def test_an_explanation_that_cannot_be_had_changes_nothing(self, check: Check, name: str) -> None:
        """No record, two, faults, octets that are not US-ASCII, errors of the DNS."""
        verdict = check(f"v=spf1 -all exp={name}.example", self.ZONE)

        assert (verdict.result, verdict.explanation) == ("fail", None)

    def test_a_redirect_has_its_own_explanation_and_an_include_none(self, check: Check) -> None:
        """Those of the other records are not used."""
        zone: dict[str, Types] = {
            **self.ZONE,
            "r.example": _spf("-all exp=y.example"),
            "y.example": {"TXT": ["by %{d}"]},
        }

        assert check("v=spf1 exp=x.example redirect=r.example", zone).explanation == "by r.example"
        zone["r.example"] = _spf("+all exp=y.example")
        assert check("v=spf1 -include:r.example", zone).explanation is None
        zone["r.example"] = _spf("-all")
        assert check("v=spf1 exp=x.example redirect=r.example", zone).explanation is None


class TestMacros:
    """Section 7; the examples are those of 7.4."""

    @pytest.mark.parametrize(
        ("macro", "expanded"),
        [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%{h}", "mx.example.org"),
            ("%{D2R}", "example.email"),
            ("%{S}", "strong-bad%40email.example.com"),
            ("%{s1@}", None),
            ("%{d.e}", None),
            ("%{d999}", "email.example.com"),
            ("%{o1r}", "email"),
            ("%{i2}", "2.3"),
            ("%%%_%-", "% %20"),
            ("%{p}", "mx.example.org"),
        ],
    )
    def test_macros_expand_as_the_examples_do(
        self, macro: str, expanded: str | None, world: Callable[..., Lookup]
    ) -> None:
        """Seen through the text of an explanation."""
        zone = {
            "email.example.com": _spf("-all exp=x.example"),
            "x.example": {"TXT": [macro]},
            ip_address("192.0.2.3").reverse_pointer: {"PTR": ["mx.example.org"]},
            "mx.example.org": {"A": ["192.0.2.3"]},
        }
        sender = "strong-bad@email.example.com"
        verdict = check_host("192.0.2.3", "email.example.com", sender, "mx.example.org", world(zone))

        assert verdict.explanation == expanded

    def test_an_ipv6_address_is_its_nibbles(self, check: Check) -> None:
        """Section 7.3: %{i} and %{ir} for names, %{c} for people."""
        nibbles = "1.0.b.c" + ".0" * 20 + ".8.b.d.0.1.0.0.2"
        zone = {f"{nibbles}.ip6._spf.e.example": {"A": ["127.0.0.2"]}, "x.example": {"TXT": ["%{c} %{i}"]}}
        verdict = check("v=spf1 -exists:%{ir}.%{v}._spf.%{d2} exp=x.example", zone, "2001:db8::cb01")

        assert verdict.result is Result.FAIL
        assert verdict.explanation == "2001:db8::cb01 " + nibbles.upper()[::-1]

    def test_an_upper_case_letter_escapes_for_urls(self, world: Callable[..., Lookup]) -> None:
        """Section 7.3: all but the unreserved characters of RFC 3986."""
        zone = {"e.example": _spf("-all exp=x.example"), "x.example": {"TXT": ["%{L} %{l}"]}}
        verdict = check_host(V4, "e.example", "~a.b-c_d+e/f =@e.example", "h", world(zone))

        assert verdict.explanation == "~a.b-c_d%2Be%2Ff%20%3D ~a.b-c_d+e/f ="

    def test_the_sender_is_split_at_its_last_at(self, world: Callable[..., Lookup]) -> None:
        """A quoted local part may hold one."""
        zone = {"e.example": _spf("-all exp=x.example"), "x.example": {"TXT": ["%{l} %{o}"]}}

        assert check_host(V4, "e.example", '"a@b"@e.example', "h", world(zone)).explanation == '"a@b" e.example'

    @pytest.mark.parametrize(
        ("names", "expanded"),
        [
            (["z.example", "m.e.example", "e.example"], "e.example"),
            (["z.example", "M.E.Example"], "M.E.Example"),
            (["z.example"], "z.example"),
            (["lie.example"], "unknown"),
            (["!"], "unknown"),
            ([], "unknown"),
        ],
    )
    def test_p_is_the_best_validated_name(self, check: Check, names: list[str], expanded: str) -> None:
        """Section 7.3: the domain, one below it, any, and else the word unknown; it never counts as a lookup."""
        zone: dict[str, Types] = {name: {"A": [V4]} for name in ("z.example", "e.example", "m.e.example")}
        zone |= {PTR: {"PTR": names}, "x.example": {"TXT": ["%{p}"]}}
        verdict = check("v=spf1 -all exp=x.example", zone)

        assert (verdict.explanation, verdict.lookups, verdict.voids) == (expanded, 0, 0)

    def test_a_name_that_is_too_long_loses_labels_from_the_left(self, check: Check) -> None:
        """Section 7.3: as many as needed for 253 octets."""
        labels = ["a" * 60, "b" * 60, "c" * 60, "d" * 60, "e.example"]
        long = ".".join(labels)
        fits = ".".join(labels[1:])

        assert len(long) == 253
        assert check(f"v=spf1 exists:{long} -all", {long: {"A": [V4]}}).result is Result.PASS
        assert check(f"v=spf1 exists:x.{long}. -all", {long: {"A": [V4]}}).result is Result.PASS
        assert check(f"v=spf1 exists:x.a{long} -all", {fits: {"A": [V4]}}).result is Result.PASS

    def test_the_local_part_may_hold_anything(self, world: Callable[..., Lookup]) -> None:
        """A name that cannot be asked for is no match and no crash."""
        zone = {"e.example": _spf("exists:%{l}.x.example -all")}

        for local in ("é", "a..b", "x" * 64, " ", "\\", '"@"', "a\x00b"):
            assert check_host(V4, "e.example", f"{local}@e.example", "h", world(zone)).result is Result.FAIL
