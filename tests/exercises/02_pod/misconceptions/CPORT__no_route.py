"""The port is declared, so it is open; the packet must be lost before.

finds: 02.page.cause CPORT
"""

# answer: 02.page
page = {
    "cause": "no-route",
    "script": """
node1$ kubectl delete pod web1
node1$ kubectl apply -f - <<EOF
> apiVersion: v1
> kind: Pod
> metadata:
>   name: web1
>   labels:
>     app: web
> spec:
>   nodeName: node1
>   containers:
>   - name: web
>     image: web
>     ports:
>     - containerPort: 80
> EOF
""",
}
