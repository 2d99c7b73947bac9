import Linux
import Testing

@Suite struct NumberListTests {
    @Test func `numbers and ranges are bits`() {
        #expect(NumberList("0")?.words == [1])
        #expect(NumberList("0-3,7")?.words == [0b1000_1111])
        #expect(NumberList("64")?.words == [0, 1] && NumberList("64")?.bitCount == 128)
    }

    @Test(arguments: ["", ",", "1-", "-1", "3-1", "a", "1,,2", "+1", "8192", "1-2-3", " 1"])
    func `what is no list is refused`(text: String) {
        #expect(NumberList(text) == nil)
    }
}
