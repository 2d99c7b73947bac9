import FoundationEssentials
import Glibc
import Testing

/// The scripts in `examples/`, run as their users would.
@Suite struct ExamplesTests {
    /// Where they are, from this file's own place.
    private static let directory = "\(#filePath.dropLast("Tests/System/ExamplesTests.swift".count))examples"

    /// Calls a program as the caller, in the caller's directory, with `APUS` as the scripts want it.
    private func call(
        _ apus: Apus, _ words: [String], _ variables: [String: String] = [:], input: String = ""
    ) throws -> Outcome {
        apus.environment["APUS"] = Machine.apus
        apus.environment["LIMITS"] = "best-effort"
        for (name, value) in variables { apus.environment[name] = value }
        let process = try apus.startProgram(words)
        try process.write(input)
        process.closeInput()
        return try process.wait()
    }

    /// A copy of the examples that the caller can read, wherever the sources are.
    private func example(_ apus: Apus, _ path: String) throws -> String {
        try apus.file(
            String(path.split(separator: "/").last ?? ""),
            String(contentsOfFile: "\(Self.directory)/\(path)", encoding: .utf8), mode: 0o755)
    }

    @Test(arguments: Caller.available)
    func `a job of GitLab's goes through the four stages of its executor`(caller: Caller) throws {
        try withApus(caller) { apus in
            let job = [
                "CUSTOM_ENV_CI_JOB_ID": "17", "CUSTOM_ENV_CI_PROJECT_ID": "3", "APUS_IMAGE": "@host",
                "BUILD_FAILURE_EXIT_CODE": "71", "SYSTEM_FAILURE_EXIT_CODE": "72",
            ]
            let config = try call(apus, [example(apus, "gitlab/config")], job)
            #expect(config.status == 0 && config.output.contains("\"builds_dir\": \"/builds\""), "\(config)")
            // `sleep` of the machine's own root; its /builds and /cache are new.
            let prepared = try call(apus, [example(apus, "gitlab/prepare")], job)
            #expect(prepared.status == 0, "\(prepared)")
            let run = try example(apus, "gitlab/run")
            let step = try apus.file("step", "mkdir -p /builds/x; cd /builds/x; echo built | tee out; echo c >/cache/k")
            #expect(try call(apus, [run, step, "build_script"], job) == .printed("built\n"))
            let check = try apus.file("check", "cat /builds/x/out; exit 5")
            let failed = try call(apus, [run, check, "after_script"], job)
            #expect(failed.status == 71 && failed.output == "built\n", "\(failed)")
            #expect(try call(apus, [example(apus, "gitlab/cleanup")], job) == .printed(""))
            #expect(try apus.succeed("ps", "-aq") == "")
            #expect(try apus.succeed("cache", "ls", "-q") == "gitlab-3")
            let unknown = try call(
                apus, [example(apus, "gitlab/prepare")], ["CUSTOM_ENV_CI_JOB_IMAGE": "registry.invalid/no/image"])
            #expect(unknown.status == 72, "\(unknown)")
        }
    }

    @Test(arguments: Caller.available)
    func `the action for GitHub runs its script in the workspace`(caller: Caller) throws {
        try withApus(caller) { apus in
            let workspace = try apus.makeDirectory("workspace")
            // What the action passes on is what its script takes.
            let action = try String(contentsOfFile: "\(Self.directory)/github/action.yml", encoding: .utf8)
            for name in ["SCRIPT", "IMAGE", "OPTIONS", "CACHE", "ARTIFACTS", "TIMEOUT"] {
                #expect(action.contains("\(name): ${{ inputs."))
            }
            let inputs = [
                "GITHUB_WORKSPACE": workspace, "IMAGE": "@host", "OPTIONS": "--umask 0027", "CACHE": "deps",
                "ARTIFACTS": "out/*.txt",
                "SCRIPT": "mkdir out; echo \"$CI $PWD $(umask)\" >out/a.txt; echo c >/cache/c\nfalse\necho not here",
            ]
            let outcome = try call(apus, ["/bin/bash", example(apus, "github/run.sh")], inputs)
            #expect(outcome.status == 1 && outcome.output == "", "\(outcome)")
            let artifact = try String(contentsOfFile: "\(workspace)/apus-artifacts/a.txt", encoding: .utf8)
            #expect(artifact == "true /workspace 0027\n")
            try apus.succeed("cache", "prune", "-f")
        }
    }

    @Test(arguments: Caller.available)
    func `the step of the pipeline for Jenkins leaves its reports`(caller: Caller) throws {
        try withApus(caller) { apus in
            let pipeline = try String(contentsOfFile: "\(Self.directory)/jenkins/Jenkinsfile", encoding: .utf8)
            let step = try #require(pipeline.components(between: "sh '''", and: "'''"))
            let workspace = try apus.makeDirectory("workspace")
            _ = try apus.makeDirectory("workspace/ci")
            try apus.file("workspace/ci/test.sh", "mkdir -p build/r; echo '<x/>' >build/r/t.xml; echo tested; exit 3\n")
            let variables = ["WORKSPACE": workspace, "JOB_NAME": "site", "IMAGE": "@host"]
            let outcome = try call(apus, ["/bin/sh", "-c", step], variables)
            #expect(outcome.status == 3 && outcome.output.hasSuffix("Z tested\n"), "\(outcome)")
            #expect(access("\(apus.directory)/reports/r/t.xml", F_OK) == 0)
            try apus.succeed("cache", "prune", "-f")
        }
    }

    @Test(arguments: Caller.available)
    func `make runs any target in a container`(caller: Caller) throws {
        try withApus(caller) { apus in
            let include = try String(contentsOfFile: "\(Self.directory)/make/container.mk", encoding: .utf8)
            let project = try apus.makeDirectory("project")
            try apus.file("project/container.mk", include)
            try apus.file("project/Makefile", "check:\n\t@hostname; echo built >out\ninclude container.mk\n")
            let outcome = try call(
                apus, ["/usr/bin/make", "-s", "-C", project, "container-check", "IMAGE=@host"])
            #expect(outcome.status == 0 && outcome.output == "apus\n", "\(outcome)")
            #expect(access("\(project)/out", F_OK) == 0)
        }
    }

    @Test(arguments: Caller.available)
    func `a command of cron's is silent unless it fails, and keeps its state`(caller: Caller) throws {
        try withApus(caller) { apus in
            let script = try example(apus, "cron/quiet.sh")
            let words = ["/bin/bash", script, "backup", "20s", "@host", "sh", "-c"]
            #expect(try call(apus, words + ["echo noise; echo 1 >/state/last"]) == .printed(""))
            let failed = try call(apus, words + ["cat /state/last; exit 9"])
            #expect(failed.status == 9 && failed.lines.first == "backup: exit status 9", "\(failed)")
            #expect(failed.lines.last?.hasSuffix("Z 1") == true, "\(failed)")
            try apus.succeed("cache", "prune", "-f")
        }
    }

    @Test(Requirement.limits, arguments: Caller.withLimits)
    func `the judge tells right from wrong, slow, greedy and broken`(caller: Caller) throws {
        try withApus(caller) { apus in
            let tests = try apus.makeDirectory("tests")
            for (name, input, output) in [
                ("1-right", "2 3\n", "5\n"), ("2-wrong", "2 2\n", "5\n"), ("3-slow", "slow\n", ""),
                ("4-greedy", "greedy\n", ""), ("5-broken", "broken\n", ""), ("6-loud", "loud\n", ""),
            ] {
                try apus.file("tests/\(name).in", input)
                try apus.file("tests/\(name).out", output)
            }
            let program = try apus.file(
                "program",
                """
                #!/bin/sh
                read a b
                case $a in
                slow) while :; do :; done ;;
                greedy) exec tail /dev/zero ;;
                broken) exit 6 ;;
                loud) exec yes ;;
                *) echo $((a + b)) ;;
                esac
                """, mode: 0o755)
            let outcome = try call(
                apus, ["/bin/bash", example(apus, "judge/judge.sh"), program, tests],
                ["JUDGE_ROOT": "--rootfs \(apus.root)", "JUDGE_TIME": "1s", "LIMITS": "strict"])
            #expect(outcome.status == 1, "\(outcome)")
            #expect(
                outcome.lines == [
                    "1-right: passed", "2-wrong: wrong answer", "3-slow: time limit", "4-greedy: memory limit",
                    "5-broken: crashed with status 6", "6-loud: output limit", "1 of 6",
                ], "\(outcome)")
        }
    }

    @Test(arguments: Caller.available)
    func `the matrix runs every combination, and says which failed`(caller: Caller) throws {
        try withApus(caller) { apus in
            let source = try apus.makeDirectory("source")
            try apus.file("source/test.sh", "echo $MODE; touch built; [ $MODE != bad ]\n")
            let words = ["/bin/bash", try example(apus, "matrix/matrix.sh"), "@host", "MODE=good MODE=bad MODE=fine"]
            let outcome = try call(apus, words + [source, "sh", "./test.sh"])
            #expect(outcome.status == 1, "\(outcome)")
            #expect(
                outcome.lines.sorted() == [
                    "@host MODE=bad | bad", "@host MODE=bad: exit status 1", "@host MODE=fine | fine",
                    "@host MODE=good | good",
                ], "\(outcome)")
            #expect(access("\(source)/built", F_OK) != 0)
        }
    }

    @Test(arguments: Caller.available)
    func `integration tests begin when their service works, on its localhost`(caller: Caller) throws {
        try withApus(caller) { apus in
            let root = "--rootfs \(apus.root):O"
            let serve = "sleep 0.3; mkdir -p /w; echo page >/w/index.html; exec httpd -f -p 80 -h /w"
            let service = try apus.file("serve", serve + "\n")
            let variables = [
                "SERVICE": "-v \(service):/serve:ro \(root) sh /serve", "HEALTH": "wget -q -O - http://127.0.0.1/",
            ]
            let words =
                ["/bin/bash", try example(apus, "services/integration.sh")]
                + root.split(separator: " ").map(String.init)
            let outcome = try call(apus, words + ["wget", "-q", "-O", "-", "http://127.0.0.1/"], variables)
            #expect(outcome == .printed("page\n"))
            #expect(try apus.succeed("ps", "-aq") == "")
        }
    }

    /// `apus limit` may not be built in yet; from then on this test counts.
    private static let hasLimit: Bool = {
        let help = try? RunningProcess([Machine.apus, "limit", "--help"], environment: [:], directory: "/").wait()
        return help?.status == 0  // `try?`: an executable that cannot be run fails all other tests
    }()

    @Test(.enabled(if: Self.hasLimit, "apus limit is not there yet"), arguments: Caller.withLimits)
    func `the wrapper in Python reads why a command ended`(caller: Caller) throws {
        try withApus(caller) { apus in
            try apus.file("apus", "#!/bin/sh\nexec '\(Machine.apus)' \"$@\"\n", mode: 0o755)
            let path = "\(apus.directory):/usr/bin:/bin"
            let words = ["/usr/bin/python3", try example(apus, "python/limited.py"), "64m", "32"]
            let good = try call(apus, words + ["10s", "sh", "-c", "exit 3"], ["PATH": path])
            #expect(good.status == 3 && good.errors.hasSuffix("3 exited\n"), "\(good)")
            let slow = try call(apus, words + ["300ms", "sleep", "1000"], ["PATH": path])
            #expect(slow.status == 124 && slow.errors.hasSuffix("124 timeout\n"), "\(slow)")
        }
    }
}

extension String {
    /// What stands between two marks, the first ones.
    fileprivate func components(between start: String, and end: String) -> String? {
        guard let from = firstRange(of: start)?.upperBound, let to = self[from...].firstRange(of: end)?.lowerBound
        else {
            return nil
        }
        return String(self[from..<to])
    }
}
