import Linux
import OCI
import Sandbox
import Testing

@Suite struct SeccompFileTests {
    private let machine = SeccompFile.Machine(
        capabilities: CapabilitySet(number: 21), architecture: "amd64", kernel: [5, 10])  // CAP_SYS_ADMIN

    private func profile(_ text: String) throws -> Spec.Seccomp {
        try SeccompFile(path: "p.json", bytes: Array(text.utf8)).profile(for: machine)
    }

    private func names(_ rules: String) throws -> [String] {
        try profile(#"{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [\#(rules)]}"#).syscalls!.flatMap(\.names)
    }

    @Test func `a profile of an OCI configuration is taken as it is`() throws {
        let read = try profile(
            """
            {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64"],
             "flags": ["SECCOMP_FILTER_FLAG_LOG"],
             "syscalls": [{"names": ["read", "lseek"], "action": "SCMP_ACT_ALLOW",
                           "args": [{"index": 1, "value": 5, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]}]}
            """)
        #expect(
            read
                == Spec.Seccomp(
                    defaultAction: .errno, defaultErrnoRet: 38, architectures: ["SCMP_ARCH_X86_64"],
                    flags: ["SECCOMP_FILTER_FLAG_LOG"],
                    syscalls: [
                        .init(
                            names: ["read", "lseek"], action: .allow,
                            args: [.init(index: 1, value: 5, valueTwo: 0, op: .equal)])
                    ]))
    }

    @Test(arguments: [
        (#""includes": {"caps": ["CAP_SYS_ADMIN"]}"#, true), (#""includes": {"caps": ["CAP_BPF"]}"#, false),
        (#""includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}"#, false), (#""excludes": {"caps": ["CAP_BPF"]}"#, true),
        (#""excludes": {"caps": ["CAP_BPF", "CAP_SYS_ADMIN"]}"#, false), (#""includes": {"arches": ["amd64"]}"#, true),
        (#""includes": {"arches": ["arm", "arm64"]}"#, false), (#""excludes": {"arches": ["amd64"]}"#, false),
        (#""includes": {"minKernel": "4.8"}"#, true), (#""includes": {"minKernel": "5.10"}"#, true),
        (#""includes": {"minKernel": "5.11"}"#, false), (#""excludes": {"minKernel": "5.9"}"#, false),
        (#""includes": {}, "excludes": {}, "comment": "words""#, true), (#""comment": """#, true),
    ])
    func `a rule applies where Docker would apply it`(condition: String, applies: Bool) throws {
        let rule = #"{"names": ["mount"], "action": "SCMP_ACT_ALLOW", \#(condition)}"#
        #expect(try names(rule) == (applies ? ["mount"] : []))
    }

    @Test func `the form with one name a rule is still understood`() throws {
        #expect(try names(#"{"name": "read", "action": "SCMP_ACT_ALLOW"}"#) == ["read"])
    }

    #if arch(x86_64)
        @Test func `the map of architectures gives those of this machine`() throws {
            let read = try profile(
                """
                {"defaultAction": "SCMP_ACT_ALLOW", "archMap": [
                 {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
                 {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}], "syscalls": null}
                """)
            #expect(read.architectures == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"])
        }
    #endif

    @Test(arguments: [
        ("", ""), ("[]", ""), ("{}", "defaultAction"), (#"{"defaultAction": "ALLOW"}"#, "defaultAction"),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_TRAP", "args": [{"index": 0, "value": 1, "op": "EQ"}]}]}"#,
            "syscalls[0].args[0].op"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": "read", "action": "SCMP_ACT_TRAP"}]}"#,
            "syscalls[0].names"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"], "action": "SCMP_ACT_TRAP"}, {"action": "SCMP_ACT_TRAP"}]}"#,
            "syscalls[1].names"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_TRAP"}]}"#,
            "syscalls[0]"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "action": "SCMP_ACT_TRAP", "includes": {"minKernel": "new"}}]}"#,
            "syscalls[0].includes.minKernel"
        ),
        (
            #"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"], "archMap": [{"architecture": "SCMP_ARCH_X86"}]}"#,
            "archMap"
        ),
        (String(repeating: "[", count: 100_000), ""),
        (#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": -1}"#, "defaultErrnoRet"),
    ])
    func `a bad profile is refused with the file and the place`(text: String, place: String) {
        #expect {
            try profile(text)
        } throws: { error in
            let line = "\(error)"
            return error is Failure && line.contains("'p.json'") && line.contains(place) && !line.contains("\n")
        }
    }

    @Test func `what is no regular file is refused without waiting for it`() {
        #expect(throws: Failure.self) { try SeccompFile(reading: "/dev/zero") }
        #expect(throws: Failure.self) { try SeccompFile(reading: "/nonexistent/profile.json") }
        #expect(throws: Failure.self) { try SeccompFile(reading: "/") }
    }
}
