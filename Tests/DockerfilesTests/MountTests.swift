import Dockerfiles
import Testing

@Suite struct `Mounts of RUN` {
    private func mounts(_ text: String) throws -> [RunMount] {
        guard case .run(let run)? = try instructions("RUN \(text) c").first else { return [] }
        return run.mounts
    }

    @Test(arguments: [
        ("target=/a", RunMount(kind: .bind, target: "/a")),
        (
            "type=bind,from=b,source=/c,dst=/d,rw",
            RunMount(kind: .bind, source: "/c", target: "/d", from: "b", readOnly: false)
        ),
        (
            "Type=CACHE,id=i,target=/a,sharing=locked,uid=1,gid=2,mode=0755,ro=true",
            RunMount(
                kind: .cache, id: "i", target: "/a", readOnly: true, sharing: .locked, mode: "0755", uid: "1", gid: "2")
        ),
        ("type=tmpfs,destination=/a,size=64m", RunMount(kind: .tmpfs, target: "/a", size: "64m")),
        (
            "type=secret,id=i,env=E,required,mode=400",
            RunMount(kind: .secret, id: "i", mode: "400", required: true, environment: "E")
        ),
        ("type=ssh,required=false", RunMount(kind: .ssh)),
        ("target=/a,readwrite=false", RunMount(kind: .bind, target: "/a", readOnly: true)),
        ("target=$A/x,uid=$B,type=${T}", RunMount(kind: .bind, target: "$A/x", uid: "$B")),
    ])
    func `are read`(text: String, expected: RunMount) throws {
        #expect(try mounts("--mount=\(text)") == [expected])
    }

    @Test func `may have commas in quotes`() throws {
        #expect(
            try mounts(#"--mount='type=cache,"target=/a,b","id=x""y"' --mount=target=/c"#).map(\.target)
                == ["/a,b", "/c"])
    }

    @Test(arguments: [
        ("type=cahce", "'type' of --mount cannot be 'cahce'; did you mean 'cache'?"),
        ("tarfet=/a", "--mount has no key 'tarfet'; did you mean 'target'?"),
        ("target", "'target' of --mount has no value; give 'target=VALUE'"),
        ("type=cache,sharing=x", "'sharing' of --mount cannot be 'x'; give shared, private, locked"),
        ("target=/a,ro=maybe", "'ro' of --mount is neither true nor false: 'maybe'"),
        ("type=tmpfs,size=many", "'size' of --mount cannot be 'many'; give one such as 64m"),
        ("type=cache,mode=888", "'mode' of --mount cannot be '888'; give an octal number"),
        ("type=cache,uid=root", "'uid' of --mount cannot be 'root'; give a number"),
        ("target=/a,size=1m", "a bind mount takes no 'size'"),
        ("target=/a,required", "a bind mount takes no 'required'"),
        ("target=/a,sharing=shared", "a bind mount takes no 'sharing'"),
        ("type=tmpfs,mode=700", "a tmpfs mount takes no 'mode'"),
        ("type=cache,env=A", "a cache mount takes no 'env'"),
        ("type=secret,id=a,from=b", "a secret mount takes no 'from'"),
        ("type=secret", "a secret mount without 'id'; give 'id=NAME'"),
        ("type=secret,id=a,source=b", "a secret mount with 'source' and 'id'; give one of them"),
        ("from=$A", "'from' of --mount takes no variables; name a stage: FROM $A AS NAME, then from=NAME"),
    ])
    func `that cannot be are refused`(text: String, expected: String) {
        #expect(headline("FROM a\nRUN --mount=\(text) c") == "Dockerfile:2: \(expected)")
    }

    @Test func `with a quote that nothing closes are refused`() {
        #expect(headline("FROM a\nRUN --mount='\"a' c") == "Dockerfile:2: nothing closes a quote in --mount")
    }
}
