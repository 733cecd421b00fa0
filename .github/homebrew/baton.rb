# Filled in by `.ci/formula` for each release; the release carries the result as baton.rb.
class Baton < Formula
  desc "Terminal control console for a fleet of language models on your own machine"
  homepage "https://github.com/baton-console/baton"
  version "VERSION"
  license "MIT"

  on_macos do
    on_arm do
      url "https://github.com/baton-console/baton/releases/download/vVERSION/baton-VERSION-aarch64-apple-darwin.tar.gz"
      sha256 "SHA256 aarch64-apple-darwin"
    end
    on_intel do
      url "https://github.com/baton-console/baton/releases/download/vVERSION/baton-VERSION-x86_64-apple-darwin.tar.gz"
      sha256 "SHA256 x86_64-apple-darwin"
    end
  end

  on_linux do
    on_arm do
      url "https://github.com/baton-console/baton/releases/download/vVERSION/baton-VERSION-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "SHA256 aarch64-unknown-linux-gnu"
    end
    on_intel do
      url "https://github.com/baton-console/baton/releases/download/vVERSION/baton-VERSION-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "SHA256 x86_64-unknown-linux-gnu"
    end
  end

  def install
    bin.install "baton"
    man1.install "man/man1/baton.1"
    bash_completion.install "completions/baton.bash" => "baton"
    zsh_completion.install "completions/_baton"
    fish_completion.install "completions/baton.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/baton --version")
    system bin/"baton", "--headless", "--fleet", "sim", "plan", "say hello"
  end
end
