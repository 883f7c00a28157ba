FROM scratch
COPY tool/text /out/tool
